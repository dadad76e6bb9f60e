#include "vit/layers/distilled_readout.h"

#include <algorithm>

namespace vit {

DistilledReadout::DistilledReadout(Registry& registry, const Options& options, const MakeNorm& norm)
    : options_(options), norm_(norm ? norm(registry, "norm", options.width) : nullptr) {
  if (options.classes == 0) return;
  head_.emplace(registry, "head", options.width, options.classes, LinearOptions{.task = true});
  head_dist_.emplace(registry, "head_dist", options.width, options.classes, LinearOptions{.task = true});
}

void DistilledReadout::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  if (norm_) norm_->pack(own);
  if (head_) head_->pack(own);
  if (head_dist_) head_dist_->pack(own);
}

State DistilledReadout::plan(Arena& arena, const Shard& largest, bool training) const {
  const int64_t images = largest.images, width = options_.width;
  Saved saved;
  saved.tokens = arena.take<float>({2 * images, width});
  if (norm_) saved.norm = norm_->plan(arena, 2 * images);
  saved.normed = norm_ ? arena.take<float>({2 * images, width}) : saved.tokens;
  saved.features = arena.take<float>({images, width});
  if (!training) return saved;
  saved.half = arena.take<float>({images, options_.classes});
  saved.dnormed = arena.take<float>({2 * images, width});
  return saved;
}

void DistilledReadout::forward(TensorView<const float> x, const Shard& shard, const State& state,
                               TensorView<float> logits) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images, tokens = shard.tokens.count(), width = options_.width;
  const TensorView<float> read = saved.tokens.slice(0, 2 * images);
  for (int64_t b = 0; b < images; ++b) {
    std::copy_n(x[b * tokens].data(), width, read[b].data());
    std::copy_n(x[b * tokens + 1].data(), width, read[images + b].data());
  }
  const TensorView<float> normed = saved.normed.slice(0, 2 * images);
  if (norm_) norm_->forward_train(read, normed, saved.norm);
  const TensorView<float> of_class = normed.slice(0, images), of_distillation = normed.slice(images, images);
  const TensorView<float> features = saved.features.slice(0, images);
  std::copy_n(of_class.data(), images * width, features.data());
  add_to(of_distillation.data(), images * width, features.data());
  scale(features.data(), images * width, 0.5f, features.data());
  if (!head_ || !logits) return;
  head_->forward(of_class, logits);
  head_dist_->forward(of_distillation, logits, true);
  scale(logits.data(), logits.size(), 0.5f, logits.data());
}

void DistilledReadout::backward(TensorView<const float> dlogits, TensorView<const float>, const State& state,
                                const Shard& shard, const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images, tokens = shard.tokens.count(), width = options_.width;
  const TensorView<float> normed = saved.normed.slice(0, 2 * images), d = saved.dnormed.slice(0, 2 * images);
  const TensorView<float> half = saved.half.slice(0, images);
  scale(dlogits.data(), dlogits.size(), 0.5f, half.data());
  head_->backward(half, normed.slice(0, images), shard, gradients, d.slice(0, images));
  head_dist_->backward(half, normed.slice(images, images), shard, gradients, d.slice(images, images));
  if (norm_) norm_->backward(d, saved.tokens.slice(0, 2 * images), saved.norm, shard, gradients, {}, d);
  std::fill_n(dx.data(), dx.size(), 0.0f);
  for (int64_t b = 0; b < images; ++b) {
    std::copy_n(d[b].data(), width, dx[b * tokens].data());
    std::copy_n(d[images + b].data(), width, dx[b * tokens + 1].data());
  }
}

}  // namespace vit
