#include "vit/layers/map_readout.h"

namespace vit {

MapReadout::MapReadout(Registry& registry, const Options& o, const MakeNorm& final_norm, const MakeNorm& pool_norm)
    : width_(o.pool.width),
      norm_(final_norm ? final_norm(registry, "norm", o.pool.width) : nullptr),
      pool_(registry, "attn_pool", o.pool, pool_norm) {
  if (o.classes > 0) linear_.emplace(registry, "head", o.pool.width, o.classes, LinearOptions{.task = true});
}

void MapReadout::pack(const Packing& packing) {
  Packing own = packing;
  own.dtype = DType::f32;
  if (norm_) norm_->pack(own);
  if (linear_) linear_->pack(own);
  pool_.pack(packing);
}

State MapReadout::plan(Arena& arena, const Shard& largest, bool training) const {
  Saved saved;
  if (norm_) {
    saved.norm = norm_->plan(arena, largest.rows());
    saved.normed = arena.take<float>({largest.rows(), width_});
  }
  saved.pool = pool_.plan(arena, largest, training);
  saved.features = arena.take<float>({largest.images, width_});
  if (training) saved.dfeatures = arena.take<float>({largest.images, width_});
  return saved;
}

void MapReadout::forward(TensorView<const float> x, const Shard& shard, const State& state,
                         TensorView<float> logits) const {
  const auto& saved = state_of<Saved>(state);
  const TensorView<float> features = saved.features.slice(0, shard.images);
  if (norm_) {
    const TensorView<float> normed = saved.normed.slice(0, shard.rows());
    norm_->forward_train(x, normed, saved.norm);
    x = normed;
  }
  pool_.forward(x, shard, saved.pool, features);
  if (linear_ && logits) linear_->forward(features, logits);
}

void MapReadout::backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state,
                          const Shard& shard, const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const TensorView<float> d = saved.dfeatures.slice(0, shard.images);
  linear_->backward(dlogits, saved.features.slice(0, shard.images), shard, gradients, d);
  const TensorView<const float> pooled = norm_ ? TensorView<const float>(saved.normed.slice(0, shard.rows())) : x;
  pool_.backward(d, pooled, saved.pool, shard, gradients, dx);
  if (norm_) norm_->backward(dx, x, saved.norm, shard, gradients, {}, dx);
}

}  // namespace vit
