// Two Linears with GELU between.
#pragma once

#include <string>

#include "vit/kernels/gemm.h"
#include "vit/layers/feed_forward.h"
#include "vit/layers/linear.h"

namespace vit {

class Mlp final : public FeedForward {
 public:
  struct Options {
    int64_t width = 0;
    int64_t hidden = 0;  // F
    Activation activation = Activation::gelu_erf;
    int dropout_site = 0;  // first of two
  };
  /// Registers `<name>.fc1` and `<name>.fc2`.
  Mlp(Registry& registry, const std::string& name, const Options& options);

  void pack(const Packing& packing, const float* output_scale) override;
  DType input_type() const override { return fc1_.type(); }
  float input_scale() const override { return fc1_.input_scale(); }
  int input_weight() const override { return fc1_.weight(); }

  State plan(Arena& arena, int64_t rows) const override;
  State plan_scratch(Arena& arena, int64_t rows, bool training) const override;

  void forward_add(ConstMatrix x, const State& scratch, TensorView<float> y) const override;
  void forward_train(ConstMatrix x, const Shard& shard, const State& saved, TensorView<float> y) const override;
  void backward(TensorView<float> dy, ConstMatrix x, const State& saved, const Shard& shard, const Gradients& gradients,
                const State& scratch, TensorView<float> dx) const override;

  double flops(int64_t rows) const override { return fc1_.flops(rows) + fc2_.flops(rows); }

 private:
  struct Saved {
    Matrix hidden;     // [M, F], before GELU
    Matrix activated;  // [M, F], after GELU and dropout
  };
  struct Scratch {
    Matrix hidden;     // [M, F]
    Matrix activated;  // [M, F] in int8; null without
    Matrix dy;         // [M, D] of backward; null in inference
  };

  Options options_;
  bool quantized_ = false;
  Linear fc1_;
  Linear fc2_;
};

}  // namespace vit
