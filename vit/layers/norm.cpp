#include "vit/layers/norm.h"

#include "vit/kernels/layernorm.h"

namespace vit {

LayerNorm::LayerNorm(Registry& registry, const std::string& name, int64_t width, float eps)
    : eps_(eps),
      weight_(registry.parameter(name + ".weight", {width}, false)),
      bias_(registry.parameter(name + ".bias", {width}, false)),
      section_(registry.section()) {}

void LayerNorm::pack(const ParameterLayout& layout, const ParameterBlock& weights) {
  gamma_ = at(weights, layout[weight_]);
  beta_ = at(weights, layout[bias_]);
}

void LayerNorm::forward(TensorView<const float> x, TensorView<float> y) const {
  layernorm_forward(x, gamma_, beta_, eps_, y, nullptr, nullptr);
}

void LayerNorm::forward_train(TensorView<const float> x, TensorView<float> y, const Saved& saved) const {
  layernorm_forward(x, gamma_, beta_, eps_, y, saved.mean.data(), saved.rstd.data());
}

void LayerNorm::backward(TensorView<const float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                         const Gradients& gradients, TensorView<const float> residual, TensorView<float> dx) const {
  gradients.in_turn(section_, shard, [&] {
    layernorm_backward(dy, x, saved.mean.data(), saved.rstd.data(), gamma_, residual, dx, gradients.at(weight_),
                       gradients.at(bias_));
  });
}

}  // namespace vit
