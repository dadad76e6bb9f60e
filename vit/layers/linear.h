// y = x W^T + b.
#pragma once

#include <string>

#include "vit/kernels/gemm.h"
#include "vit/layers/context.h"

namespace vit {

struct LinearOptions {
  bool bias = true;
  std::vector<int64_t> weight_shape = {};  // what the file calls it, e.g. a kernel's shape; empty = [out, in]
  Draw weight_draw = Draw::truncated_normal(0.02f);
  Draw bias_draw = Draw::constant(0);
  bool product = false;  // as in ParameterRole, of the weight
  bool task = false;     // as in ParameterRole, of both
};

class Linear {
 public:
  /// Registers `<name>.weight` [out, in] and `<name>.bias` [out].
  Linear(Registry& registry, const std::string& name, int64_t in, int64_t out, const LinearOptions& options = {});
  /// A layer of its own on `outputs` outputs of `whole`, from `first`; the parameters stay those of `whole`.
  Linear(Registry& registry, const Linear& whole, int64_t first, int64_t outputs);

  /// Outputs are multiplied by `output_scale` [out] unless null (layer scale in inference).
  void pack(const Packing& packing, const float* output_scale = nullptr);

  /// Indices of the parameters; no bias is -1.
  int weight() const { return weight_; }
  int bias() const { return bias_; }
  /// What makes outputs from `first` on.
  std::vector<Channels::Source> outputs_from(int64_t first) const {
    std::vector<Channels::Source> sources{{weight_, first}};
    if (bias_ >= 0) sources.push_back({bias_, first});
    return sources;
  }

  /// What x of forward and dy of backward must be.
  DType type() const { return type_; }
  /// int8: what one unit of x stands for.
  float input_scale() const { return input_scale_; }

  /// y [M, out] from x [M, in], or added to what y holds.
  void forward(ConstMatrix x, Matrix y, bool accumulate = false) const;
  /// dW, db are added in turn; dx [M, in] is overwritten unless null. x as forward had it.
  void backward(ConstMatrix dy, ConstMatrix x, const Shard& shard, const Gradients& gradients, Matrix dx) const;

  /// Operations of a forward pass of `rows` rows.
  double flops(int64_t rows) const { return 2.0 * static_cast<double>(rows * in_ * out_); }

 private:
  std::string forward_label_, backward_label_;  // in a profile: the last word of the name
  int64_t in_;
  int64_t out_;
  int64_t first_ = 0;  // output of the parameters that is output 0 here
  int weight_;
  int bias_ = -1;
  int section_;
  DType type_ = DType::f32;
  float input_scale_ = 1;
  PackedWeight forward_;
  PackedWeight backward_;
  InputObserver observe_;
};

}  // namespace vit
