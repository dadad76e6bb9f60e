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

  /// `output_scale` [D] multiplies the branch unless null.
  void pack(const Packing& packing, const float* output_scale = nullptr);
  const Linear& input() const { return fc1_; }

  struct Saved {
    Matrix hidden;     // [M, F], before GELU
    Matrix activated;  // [M, F], after GELU and dropout
  };
  Saved plan(Arena& arena, int64_t rows) const;

  /// What a pass may write on.
  struct Scratch {
    Matrix hidden;     // [M, F]
    Matrix activated;  // [M, F] in int8; null without
    Matrix dy;         // [M, D] of backward; null in inference
  };
  Scratch plan_scratch(Arena& arena, int64_t rows, bool training) const;

  /// y [M, D] += mlp(x) in inference.
  void forward_add(ConstMatrix x, const Scratch& scratch, TensorView<float> y) const;
  void forward_train(ConstMatrix x, const Shard& shard, const Saved& saved, TensorView<float> y) const;
  /// dx [M, D] from dy; dy is changed where dropout is on.
  void backward(TensorView<float> dy, ConstMatrix x, const Saved& saved, const Shard& shard, const Gradients& gradients,
                const Scratch& scratch, TensorView<float> dx) const;

 private:
  Options options_;
  bool quantized_ = false;
  Linear fc1_;
  Linear fc2_;
};

}  // namespace vit
