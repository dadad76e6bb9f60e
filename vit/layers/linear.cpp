#include "vit/layers/linear.h"

namespace vit {

Linear::Linear(Registry& registry, const std::string& name, int64_t in, int64_t out, const LinearOptions& options)
    : in_(in), out_(out), section_(registry.section()) {
  const std::vector<int64_t> shape =
      options.weight_shape.empty() ? std::vector<int64_t>{out, in} : options.weight_shape;
  weight_ = registry.parameter(name + ".weight", shape, true);
  if (options.bias) bias_ = registry.parameter(name + ".bias", {out}, false);
}

void Linear::pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training) {
  const TensorView<const float> w(at(weights, layout[weight_]), {out_, in_});
  forward_.pack(w, PackedWeight::Use::forward);
  if (training) backward_.pack(w, PackedWeight::Use::backward_data);
  if (bias_ >= 0) bias_values_ = at(weights, layout[bias_]);
}

void Linear::forward(TensorView<const float> x, TensorView<float> y, Activation activation, bool accumulate) const {
  forward_.multiply(x, y, {bias_values_, activation, accumulate});
}

void Linear::backward(TensorView<const float> dy, TensorView<const float> x, const Shard& shard,
                      const Gradients& gradients, TensorView<float> dx) const {
  gradients.in_turn(section_, shard, [&] {
    GemmOptions options;
    options.transpose_a = true;
    options.epilogue.accumulate = true;
    gemm(dy, x, TensorView<float>(gradients.at(weight_), {out_, in_}), options);
    if (bias_ >= 0) add_column_sums(dy, gradients.at(bias_));
  });
  if (dx) backward_.multiply(dy, dx);
}

}  // namespace vit
