// Layer normalisation with learned scale and shift.
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class LayerNorm {
 public:
  LayerNorm(Registry& registry, const std::string& name, int64_t width, float eps);

  void pack(const ParameterLayout& layout, const ParameterBlock& weights);

  /// Mean and reciprocal deviation of each row [M].
  struct Saved {
    TensorView<float> mean, rstd;
  };
  static Saved plan(Arena& arena, int64_t rows) { return {arena.take<float>({rows}), arena.take<float>({rows})}; }

  void forward(TensorView<const float> x, TensorView<float> y) const;
  void forward_train(TensorView<const float> x, TensorView<float> y, const Saved& saved) const;
  /// dx [M, D] = gradient of x + `residual` where given (dx may be residual).
  void backward(TensorView<const float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, TensorView<const float> residual, TensorView<float> dx) const;

 private:
  float eps_;
  int weight_;
  int bias_;
  int section_;
  const float* gamma_ = nullptr;
  const float* beta_ = nullptr;
};

}  // namespace vit
