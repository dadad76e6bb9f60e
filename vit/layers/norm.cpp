#include "vit/layers/norm.h"

#include "vit/kernels/layernorm.h"

namespace vit {

LayerNorm::LayerNorm(Registry& registry, const std::string& name, int64_t width, float eps)
    : width_(width),
      eps_(eps),
      weight_(registry.parameter(name + ".weight", {width}, {.draw = Draw::constant(1)})),
      bias_(registry.parameter(name + ".bias", {width}, {})),
      section_(registry.section()) {}

void LayerNorm::pack(const Packing& packing, float output_scale) {
  const auto take = [&](int parameter, AlignedBuffer<float>& to) {
    if (to.size() == 0) to = AlignedBuffer<float>(width_);
    scale(packing.values(parameter).data, width_, output_scale, to.data());
  };
  take(weight_, gamma_);
  take(bias_, beta_);
}

Norm::Saved LayerNorm::plan(Arena& arena, int64_t rows) const {
  return {arena.take<float>({rows}), arena.take<float>({rows})};
}

void LayerNorm::forward(ConstMatrix x, Matrix y) const {
  const ProfileScope profile("norm");
  layernorm_forward(x, gamma_.data(), beta_.data(), eps_, y, nullptr, nullptr);
}

void LayerNorm::forward_train(ConstMatrix x, Matrix y, const Saved& saved) const {
  const ProfileScope profile("norm");
  layernorm_forward(x, gamma_.data(), beta_.data(), eps_, y, saved.mean.data(), saved.rstd.data());
}

void LayerNorm::backward(ConstMatrix dy, ConstMatrix x, const Saved& saved, const Shard& shard,
                         const Gradients& gradients, TensorView<const float> residual, Matrix dx) const {
  const ProfileScope profile("norm backward");
  gradients.in_turn(section_, shard, [&] {
    layernorm_backward(dy, x, saved.mean.data(), saved.rstd.data(), gamma_.data(), residual, dx, gradients.at(weight_),
                       gradients.at(bias_));
  });
}

}  // namespace vit
