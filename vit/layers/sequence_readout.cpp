#include "vit/layers/sequence_readout.h"

#include <algorithm>
#include <cmath>

namespace vit {
namespace {

/// x [count] becomes its softmax.
void softmax(float* x, int64_t count) {
  const float top = *std::max_element(x, x + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i] = std::exp(x[i] - top);
  for (int64_t i = 0; i < count; ++i) x[i] /= sum;
}

}  // namespace

SequenceReadout::SequenceReadout(Registry& registry, const Options& options, const FinalNorms& norms)
    : options_(options),
      tokens_norm_(registry, norms.before, "norm", options.width),
      scores_(registry, "attention_pool", options.width, 1),
      pooled_norm_(registry, norms.after, "fc_norm", options.width) {
  if (options.classes > 0)
    linear_.emplace(registry, "head", options.width, options.classes, LinearOptions{.task = true});
}

void SequenceReadout::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  tokens_norm_.pack(own);
  scores_.pack(own);
  pooled_norm_.pack(own);
  if (linear_) linear_->pack(own);
}

State SequenceReadout::plan(Arena& arena, const Shard& largest, bool training) const {
  const int64_t images = largest.images, rows = largest.rows(), width = options_.width;
  Saved saved;
  saved.tokens = tokens_norm_.plan(arena, rows);
  saved.shares = arena.take<float>({rows, 1});
  saved.pooled = arena.take<float>({images, width});
  saved.norm = pooled_norm_.plan(arena, images);
  if (!training) return saved;
  saved.dfeatures = arena.take<float>({images, width});
  saved.dscores = arena.take<float>({rows, 1});
  return saved;
}

void SequenceReadout::forward(TensorView<const float> x, const Shard& shard, const State& state,
                              TensorView<float> logits) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t tokens = shard.tokens.count(), width = options_.width;
  const TensorView<float> shares = saved.shares.slice(0, shard.rows());
  const TensorView<float> pooled = saved.pooled.slice(0, shard.images);
  const TensorView<const float> normed = tokens_norm_.forward(x, saved.tokens);
  scores_.forward(normed, shares);
  for (int64_t b = 0; b < shard.images; ++b) {
    float* share = shares[b * tokens].data();
    softmax(share, shard.valid(b));
    std::fill(share + shard.valid(b), share + tokens, 0.0f);
    float* sum = pooled[b].data();
    std::fill_n(sum, width, 0.0f);
    for (int64_t t = 0; t < shard.valid(b); ++t)
      for (int64_t d = 0; d < width; ++d) sum[d] += share[t] * normed(b * tokens + t, d);
  }
  const TensorView<const float> features = pooled_norm_.forward(pooled, saved.norm);
  if (linear_ && logits) linear_->forward(features, logits);
}

void SequenceReadout::backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state,
                               const Shard& shard, const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t tokens = shard.tokens.count(), width = options_.width;
  const TensorView<const float> normed = tokens_norm_ ? saved.tokens.y.slice(0, shard.rows()) : x;
  const TensorView<float> shares = saved.shares.slice(0, shard.rows());
  const TensorView<float> dpooled = saved.dfeatures.slice(0, shard.images);
  const TensorView<float> dscores = saved.dscores.slice(0, shard.rows());
  linear_->backward(dlogits, saved.features().slice(0, shard.images), shard, gradients, dpooled);
  pooled_norm_.backward(saved.pooled.slice(0, shard.images), saved.norm, shard, gradients, dpooled);
  for (int64_t b = 0; b < shard.images; ++b) {
    const float *share = shares[b * tokens].data(), *d = dpooled[b].data();
    float *dscore = dscores[b * tokens].data(), mean = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      float dot = 0;
      for (int64_t i = 0; i < width; ++i) dot += d[i] * normed(b * tokens + t, i);
      dscore[t] = dot;
      mean += share[t] * dot;
    }
    for (int64_t t = 0; t < tokens; ++t) dscore[t] = share[t] * (dscore[t] - mean);
  }
  scores_.backward(dscores, normed, shard, gradients, dx);
  for (int64_t b = 0; b < shard.images; ++b)
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < width; ++i) dx(b * tokens + t, i) += shares(b * tokens + t, 0) * dpooled(b, i);
  tokens_norm_.backward(x, saved.tokens, shard, gradients, dx);
}

}  // namespace vit
