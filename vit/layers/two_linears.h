// A Linear, something between, a Linear: what the feed-forwards have in common. A norm may stand before the second one:
// Wang et al., arXiv:2210.06423.
#pragma once

#include <memory>
#include <string>

#include "vit/layers/feed_forward.h"
#include "vit/layers/linear.h"
#include "vit/layers/norm.h"

namespace vit {

class TwoLinears : public FeedForward {
 public:
  struct Options {
    int64_t width = 0;
    int64_t hidden = 0;    // F, what the second Linear reads
    int64_t parts = 1;     // the first one gives so many times F
    int dropout_site = 0;  // first of two
    bool product = true;   // as in ParameterRole, of the weights
    MakeNorm norm = {};    // of what the second Linear reads [F]; null = none
  };
  /// Registers `<name>.fc1` [parts * F, D], `<name>.norm` [F] and `<name>.fc2` [D, F].
  TwoLinears(Registry& registry, const std::string& name, const Options& options);

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

 protected:
  /// y [M, F] from hidden [M, parts * F]; y may be the first part of hidden where the types are equal. An int8 y is
  /// multiplied by `scale`.
  virtual void activate(ConstMatrix hidden, Matrix y, float scale) const = 0;
  /// dhidden from dy [M, F]; dhidden may be dy where there is one part.
  virtual void activate_backward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden) const = 0;

  const Linear& fc1() const { return fc1_; }
  const Linear& fc2() const { return fc2_; }
  bool has_norm() const { return norm_ != nullptr; }

 private:
  struct Saved {
    Matrix hidden;     // [M, parts * F]
    Matrix activated;  // [M, F], after dropout
    Matrix normed;     // [M, F], what the second Linear reads: activated without a norm
    Norm::Saved norm;
  };
  struct Scratch {
    Matrix hidden;     // [M, parts * F]
    Matrix activated;  // [M, F], what the second Linear reads, in the memory of hidden where that serves
    Matrix dy;         // [M, D] of backward; null in inference
  };

  Options options_;
  Linear fc1_;
  std::unique_ptr<Norm> norm_;
  Linear fc2_;
};

}  // namespace vit
