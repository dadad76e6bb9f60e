#include "vit/layers/token_mean_readout.h"

#include <algorithm>

namespace vit {

TokenMeanReadout::TokenMeanReadout(Registry& registry, const Options& options, const MakeNorm& norm)
    : options_(options), norm_(norm ? norm(registry, "norm", options.width) : nullptr) {
  if (options.classes > 0)
    linear_.emplace(registry, "head", features_width(), options.classes, LinearOptions{.task = true});
}

void TokenMeanReadout::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  if (norm_) norm_->pack(own);
  if (linear_) linear_->pack(own);
}

State TokenMeanReadout::plan(Arena& arena, const Shard& largest, bool training) const {
  const int64_t rows = earlier_rows(largest.images) + largest.rows(), width = options_.width;
  Saved saved;
  if (earlier_stages() > 0) saved.rows = arena.take<float>({rows, width});
  if (norm_) {
    saved.norm = norm_->plan(arena, rows);
    saved.normed = arena.take<float>({rows, width});
  }
  saved.features = arena.take<float>({largest.images, features_width()});
  if (!training) return saved;
  saved.dfeatures = arena.take<float>({largest.images, features_width()});
  saved.drows = arena.take<float>({rows, width});
  return saved;
}

/// x itself where nothing stands in front of it: one call of the norm takes them all.
TensorView<const float> TokenMeanReadout::read_rows(TensorView<const float> x, const Shard& shard,
                                                    const Saved& saved) const {
  const int64_t earlier = earlier_rows(shard.images);
  return earlier == 0 ? x : TensorView<const float>(saved.rows.slice(0, earlier + shard.rows()));
}

void TokenMeanReadout::forward(TensorView<const float> x, const Shard& shard, const State& state,
                               TensorView<float> logits) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images, tokens = shard.tokens.count(), width = options_.width;
  const int64_t prefix = shard.tokens.prefix, earlier = earlier_rows(images);
  if (earlier > 0) std::copy_n(x.data(), x.size(), saved.rows[earlier].data());
  TensorView<const float> rows = read_rows(x, shard, saved);
  if (norm_) {
    const TensorView<float> normed = saved.normed.slice(0, rows.rows());
    norm_->forward_train(rows, normed, saved.norm);
    rows = normed;
  }
  const TensorView<float> features = saved.features.slice(0, images);
  for (int64_t b = 0; b < images; ++b) {
    float* feature = features[b].data();
    for (int64_t i = 0; i < earlier_stages(); ++i, feature += width)
      std::copy_n(rows[i * images + b].data(), width, feature);
    const int64_t first = earlier + b * tokens, count = shard.valid(b) - prefix;
    std::copy_n(rows[first].data(), width, feature);
    feature += width;
    std::fill_n(feature, width, 0.0f);
    add_column_sums(rows.slice(first + prefix, count), feature);
    scale(feature, width, 1 / static_cast<float>(count), feature);
  }
  if (linear_ && logits) linear_->forward(features, logits);
}

void TokenMeanReadout::backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state,
                                const Shard& shard, const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images, tokens = shard.tokens.count(), width = options_.width;
  const int64_t prefix = shard.tokens.prefix, earlier = earlier_rows(images);
  const TensorView<const float> rows = read_rows(x, shard, saved);
  const TensorView<float> d = saved.dfeatures.slice(0, images), drows = saved.drows.slice(0, rows.rows());
  linear_->backward(dlogits, saved.features.slice(0, images), shard, gradients, d);
  std::fill_n(drows.data(), drows.size(), 0.0f);
  for (int64_t b = 0; b < images; ++b) {
    const float* feature = d[b].data();
    for (int64_t i = 0; i < earlier_stages(); ++i, feature += width)
      std::copy_n(feature, width, drows[i * images + b].data());
    const int64_t first = earlier + b * tokens, count = shard.valid(b) - prefix;
    std::copy_n(feature, width, drows[first].data());
    feature += width;
    for (int64_t t = 0; t < count; ++t)
      scale(feature, width, 1 / static_cast<float>(count), drows[first + prefix + t].data());
  }
  if (norm_) norm_->backward(drows, rows, saved.norm, shard, gradients, {}, drows);
  std::copy_n(drows[earlier].data(), dx.size(), dx.data());
}

}  // namespace vit
