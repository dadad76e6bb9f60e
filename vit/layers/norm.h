// Layer normalisation with learned scale and shift.
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class LayerNorm {
 public:
  LayerNorm(Registry& registry, const std::string& name, int64_t width, float eps);

  /// The result is multiplied by `output_scale` (1 / what one unit of an int8 result stands for).
  void pack(const Packing& packing, float output_scale = 1);

  /// Mean and reciprocal deviation of each row [M].
  struct Saved {
    TensorView<float> mean, rstd;
  };
  static Saved plan(Arena& arena, int64_t rows) { return {arena.take<float>({rows}), arena.take<float>({rows})}; }

  /// y [M, D] of any type, for the product that reads it.
  void forward(TensorView<const float> x, Matrix y) const;
  void forward_train(TensorView<const float> x, Matrix y, const Saved& saved) const;
  /// dx [M, D] = gradient of x + `residual` where given (dx may be residual).
  void backward(TensorView<const float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, TensorView<const float> residual, TensorView<float> dx) const;

 private:
  int64_t width_;
  float eps_;
  int weight_;
  int bias_;
  int section_;
  AlignedBuffer<float> gamma_, beta_;
};

}  // namespace vit
