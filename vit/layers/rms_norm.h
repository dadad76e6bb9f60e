// Root mean square normalisation with a learned scale. Zhang and Sennrich, arXiv:1910.07467.
#pragma once

#include <string>

#include "vit/layers/norm.h"

namespace vit {

class RmsNorm final : public Norm {
 public:
  /// Registers `<name>.weight` [D].
  RmsNorm(Registry& registry, const std::string& name, int64_t width, float eps);

  void pack(const Packing& packing, float output_scale = 1) override;
  std::vector<Channels::Source> outputs() const override { return {{weight_, 0}}; }
  Saved plan(Arena& arena, int64_t rows) const override { return {{}, arena.take<float>({rows})}; }
  void forward(ConstMatrix x, Matrix y) const override;
  void forward_train(ConstMatrix x, Matrix y, const Saved& saved) const override;
  void backward(ConstMatrix dy, ConstMatrix x, const Saved& saved, const Shard& shard, const Gradients& gradients,
                TensorView<const float> residual, Matrix dx) const override;

 private:
  int64_t width_;
  float eps_;
  int weight_;
  int section_;
  AlignedBuffer<float> gamma_;
};

}  // namespace vit
