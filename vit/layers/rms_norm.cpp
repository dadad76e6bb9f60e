#include "vit/layers/rms_norm.h"

#include "vit/kernels/rmsnorm.h"

namespace vit {

RmsNorm::RmsNorm(Registry& registry, const std::string& name, int64_t width, float eps)
    : width_(width),
      eps_(eps),
      weight_(registry.parameter(name + ".weight", {width}, {.draw = Draw::constant(1)})),
      section_(registry.section()) {}

void RmsNorm::pack(const Packing& packing, float output_scale) {
  if (gamma_.size() == 0) gamma_ = AlignedBuffer<float>(width_);
  scale(packing.values(weight_).data, width_, output_scale, gamma_.data());
}

void RmsNorm::forward(ConstMatrix x, Matrix y) const {
  const ProfileScope profile("norm");
  rmsnorm_forward(x, gamma_.data(), eps_, y, nullptr);
}

void RmsNorm::forward_train(ConstMatrix x, Matrix y, const Saved& saved) const {
  const ProfileScope profile("norm");
  rmsnorm_forward(x, gamma_.data(), eps_, y, saved.rstd.data());
}

void RmsNorm::backward(ConstMatrix dy, ConstMatrix x, const Saved& saved, const Shard& shard,
                       const Gradients& gradients, TensorView<const float> residual, Matrix dx) const {
  const ProfileScope profile("norm backward");
  gradients.in_turn(section_, shard, [&] {
    rmsnorm_backward(dy, x, saved.rstd.data(), gamma_.data(), residual, dx, gradients.at(weight_));
  });
}

}  // namespace vit
