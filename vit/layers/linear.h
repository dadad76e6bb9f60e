// y = x W^T + b.
#pragma once

#include <string>

#include "vit/kernels/gemm.h"
#include "vit/layers/context.h"

namespace vit {

struct LinearOptions {
  bool bias = true;
  std::vector<int64_t> weight_shape;  // what the file calls it, e.g. a kernel's shape; empty = [out, in]
};

class Linear {
 public:
  /// Registers `<name>.weight` [out, in] and `<name>.bias` [out].
  Linear(Registry& registry, const std::string& name, int64_t in, int64_t out, const LinearOptions& options = {});

  /// `training` also packs for the gradient of the input.
  void pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training);

  /// y [M, out] from x [M, in], with an activation, or added to what y holds.
  void forward(TensorView<const float> x, TensorView<float> y, Activation activation = Activation::none,
               bool accumulate = false) const;
  /// dW, db are added in turn; dx [M, in] is overwritten unless null. x as forward had it.
  void backward(TensorView<const float> dy, TensorView<const float> x, const Shard& shard, const Gradients& gradients,
                TensorView<float> dx) const;

 private:
  int64_t in_;
  int64_t out_;
  int weight_;
  int bias_ = -1;
  int section_;
  const float* bias_values_ = nullptr;
  PackedWeight forward_;
  PackedWeight backward_;
};

}  // namespace vit
