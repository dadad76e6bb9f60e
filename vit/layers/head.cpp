#include "vit/layers/head.h"

#include <algorithm>

namespace vit {

Head::Head(Registry& registry, const Options& options)
    : pooling_(options.pooling),
      width_(options.width),
      prefix_(options.class_token ? 1 : 0),
      norm_(registry, options.pooling == Pooling::mean ? "fc_norm" : "norm", options.width, options.eps) {
  if (options.classes > 0) linear_.emplace(registry, "head", options.width, options.classes);
}

void Head::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  norm_.pack(own);
  if (linear_) linear_->pack(own);
}

Head::Saved Head::plan(Arena& arena, int64_t images) const {
  Saved saved;
  saved.pooled = arena.take<float>({images, width_});
  saved.norm = LayerNorm::plan(arena, images);
  saved.features = arena.take<float>({images, width_});
  return saved;
}

void Head::pool(TensorView<const float> x, const Shard& shard, TensorView<float> pooled) const {
  for (int64_t b = 0; b < shard.images; ++b) {
    float* row = pooled[b].data();
    if (pooling_ == Pooling::class_token) {
      std::copy_n(x[b].data(), width_, row);
      continue;
    }
    const TensorView<const float> patches = x.slice(b * shard.tokens + prefix_, shard.valid(b) - prefix_);
    std::fill_n(row, width_, 0.0f);
    add_column_sums(patches, row);
    scale(row, width_, 1 / static_cast<float>(patches.rows()), row);
  }
}

void Head::forward(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> logits) const {
  const TensorView<float> pooled = saved.pooled.slice(0, shard.images);
  const TensorView<float> features = saved.features.slice(0, shard.images);
  pool(x, shard, pooled);
  norm_.forward_train(pooled, features, saved.norm);
  if (linear_ && logits) linear_->forward(features, logits);
}

void Head::backward(TensorView<const float> dlogits, const Saved& saved, const Shard& shard, const Gradients& gradients,
                    TensorView<float> dfeatures, TensorView<float> dx) const {
  const TensorView<float> pooled = saved.pooled.slice(0, shard.images);
  const TensorView<float> d = dfeatures.slice(0, shard.images);
  linear_->backward(dlogits, saved.features.slice(0, shard.images), shard, gradients, d);
  norm_.backward(d, pooled, saved.norm, shard, gradients, {}, d);
  if (pooling_ == Pooling::class_token) {
    for (int64_t b = 0; b < shard.images; ++b) std::copy_n(d[b].data(), width_, dx[b].data());
    return;
  }
  std::fill_n(dx.data(), dx.size(), 0.0f);
  for (int64_t b = 0; b < shard.images; ++b) {
    const int64_t count = shard.valid(b) - prefix_;
    for (int64_t t = 0; t < count; ++t)
      scale(d[b].data(), width_, 1 / static_cast<float>(count), dx[b * shard.tokens + prefix_ + t].data());
  }
}

}  // namespace vit
