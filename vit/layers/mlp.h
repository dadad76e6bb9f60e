// Two Linears with GELU between.
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/layers/linear.h"

namespace vit {

class Mlp {
 public:
  struct Options {
    int64_t width = 0;
    int64_t hidden = 0;  // F
    Activation activation = Activation::gelu_erf;
    int dropout_site = 0;  // first of two
  };
  Mlp(Registry& registry, const std::string& name, const Options& options);

  void pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training);

  struct Saved {
    TensorView<float> hidden;     // [M, F], before GELU
    TensorView<float> activated;  // [M, F], after GELU and dropout
  };
  Saved plan(Arena& arena, int64_t rows) const;

  /// What a pass may write on: [M, F].
  struct Scratch {
    TensorView<float> hidden;
  };
  /// y [M, D] += mlp(x) in inference.
  void forward_add(TensorView<const float> x, const Scratch& scratch, TensorView<float> y) const;
  void forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> y) const;
  /// dx [M, D] from dy; dy is changed where dropout is on.
  void backward(TensorView<float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const;

 private:
  Options options_;
  Linear fc1_;
  Linear fc2_;
};

}  // namespace vit
