#include "vit/layers/pooled_readout.h"

#include <algorithm>

namespace vit {
namespace {

OptionalNorm make_tokens_norm(Registry& registry, const PooledReadout::Options& o, const FinalNorms& norms) {
  return o.pooling == Pooling::mean ? OptionalNorm(registry, norms.before, "norm", o.width) : OptionalNorm();
}

OptionalNorm make_pooled_norm(Registry& registry, const PooledReadout::Options& o, const FinalNorms& norms) {
  if (o.pooling == Pooling::class_token && norms.before) return {registry, norms.before, "norm", o.width};
  return {registry, norms.after, "fc_norm", o.width};
}

}  // namespace

PooledReadout::PooledReadout(Registry& registry, const Options& options, const FinalNorms& norms)
    : options_(options),
      tokens_norm_(make_tokens_norm(registry, options, norms)),
      pooled_norm_(make_pooled_norm(registry, options, norms)) {
  if (options.classes > 0)
    linear_.emplace(registry, "head", options.width, options.classes, LinearOptions{.task = true});
}

void PooledReadout::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  tokens_norm_.pack(own);
  pooled_norm_.pack(own);
  if (linear_) linear_->pack(own);
}

State PooledReadout::plan(Arena& arena, const Shard& largest, bool training) const {
  const int64_t images = largest.images;
  Saved saved;
  saved.tokens = tokens_norm_.plan(arena, largest.rows());
  saved.pooled = arena.take<float>({images, options_.width});
  saved.norm = pooled_norm_.plan(arena, images);
  if (training) saved.dfeatures = arena.take<float>({images, options_.width});
  return saved;
}

void PooledReadout::pool(TensorView<const float> x, const Shard& shard, TensorView<float> pooled) const {
  const int64_t tokens = shard.tokens.count(), prefix = shard.tokens.prefix, width = options_.width;
  for (int64_t b = 0; b < shard.images; ++b) {
    float* row = pooled[b].data();
    if (options_.pooling == Pooling::class_token) {
      std::copy_n(x[b].data(), width, row);
      continue;
    }
    const TensorView<const float> patches = x.slice(b * tokens + prefix, shard.valid(b) - prefix);
    std::fill_n(row, width, 0.0f);
    add_column_sums(patches, row);
    scale(row, width, 1 / static_cast<float>(patches.rows()), row);
  }
}

void PooledReadout::forward(TensorView<const float> x, const Shard& shard, const State& state,
                            TensorView<float> logits) const {
  const auto& saved = state_of<Saved>(state);
  const TensorView<float> pooled = saved.pooled.slice(0, shard.images);
  pool(tokens_norm_.forward(x, saved.tokens), shard, pooled);
  const TensorView<const float> features = pooled_norm_.forward(pooled, saved.norm);
  if (linear_ && logits) linear_->forward(features, logits);
}

void PooledReadout::backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state,
                             const Shard& shard, const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t width = options_.width, prefix = shard.tokens.prefix;
  const TensorView<float> d = saved.dfeatures.slice(0, shard.images);
  linear_->backward(dlogits, saved.features().slice(0, shard.images), shard, gradients, d);
  pooled_norm_.backward(saved.pooled.slice(0, shard.images), saved.norm, shard, gradients, d);
  if (options_.pooling == Pooling::class_token) {
    for (int64_t b = 0; b < shard.images; ++b) std::copy_n(d[b].data(), width, dx[b].data());
    return;
  }
  std::fill_n(dx.data(), dx.size(), 0.0f);
  for (int64_t b = 0; b < shard.images; ++b) {
    const int64_t count = shard.valid(b) - prefix, first = b * shard.tokens.count() + prefix;
    for (int64_t t = 0; t < count; ++t) scale(d[b].data(), width, 1 / static_cast<float>(count), dx[first + t].data());
  }
  tokens_norm_.backward(x, saved.tokens, shard, gradients, dx);
}

}  // namespace vit
