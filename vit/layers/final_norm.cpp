#include "vit/layers/final_norm.h"

namespace vit {

OptionalNorm::OptionalNorm(Registry& registry, const MakeNorm& make, const std::string& name, int64_t width)
    : width_(width), norm_(make ? make(registry, name, width) : nullptr) {}

void OptionalNorm::pack(const Packing& packing) {
  if (norm_) norm_->pack(packing);
}

OptionalNorm::Saved OptionalNorm::plan(Arena& arena, int64_t rows) const {
  if (!norm_) return {};
  return {norm_->plan(arena, rows), arena.take<float>({rows, width_})};
}

TensorView<const float> OptionalNorm::forward(TensorView<const float> x, const Saved& saved) const {
  if (!norm_) return x;
  const TensorView<float> y = saved.y.slice(0, x.rows());
  norm_->forward_train(x, y, saved.norm);
  return y;
}

void OptionalNorm::backward(TensorView<const float> x, const Saved& saved, const Shard& shard,
                            const Gradients& gradients, TensorView<float> dx) const {
  if (norm_) norm_->backward(dx, x, saved.norm, shard, gradients, {}, dx);
}

}  // namespace vit
