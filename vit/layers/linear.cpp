#include "vit/layers/linear.h"

#include "vit/core/profile.h"
#include "vit/kernels/weight_gradient.h"

namespace vit {
namespace {

/// Rows of W [out, in], or elements of b, times their output's scale.
AlignedBuffer<float> scaled(const float* values, int64_t out, int64_t in, const float* output_scale) {
  AlignedBuffer<float> result(out * in);
  for (int64_t o = 0; o < out; ++o) scale(values + o * in, in, output_scale[o], result.data() + o * in);
  return result;
}

std::string last_word(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

Linear::Linear(Registry& registry, const std::string& name, int64_t in, int64_t out, const LinearOptions& options)
    : forward_label_(last_word(name)),
      backward_label_(forward_label_ + " backward"),
      in_(in),
      out_(out),
      section_(registry.section()) {
  const std::vector<int64_t> shape =
      options.weight_shape.empty() ? std::vector<int64_t>{out, in} : options.weight_shape;
  weight_ = registry.parameter(
      name + ".weight", shape,
      {.draw = options.weight_draw, .decay = true, .product = options.product, .task = options.task});
  if (options.bias)
    bias_ = registry.parameter(name + ".bias", {out}, {.draw = options.bias_draw, .task = options.task});
}

Linear::Linear(Registry& registry, const Linear& whole, int64_t first, int64_t outputs)
    : forward_label_(whole.forward_label_),
      backward_label_(whole.backward_label_),
      in_(whole.in_),
      out_(outputs),
      first_(first),
      weight_(whole.weight_),
      bias_(whole.bias_),
      section_(registry.section()) {}

void Linear::pack(const Packing& packing, const float* output_scale) {
  type_ = packing.dtype;
  observe_ = packing.observe;
  if (type_ == DType::i8) {
    const float scale = packing.input_scale(weight_);
    if (scale <= 0) type_ = DType::bf16;
    input_scale_ = scale > 0 ? scale : 1;
  }
  const ParameterValues weight = packing.values(weight_);
  const ParameterValues bias = bias_ >= 0 ? packing.values(bias_) : ParameterValues();
  const float* w = weight.data + first_ * in_;
  const float* b = bias_ >= 0 ? bias.data + first_ : nullptr;
  AlignedBuffer<float> scaled_weight, scaled_bias;
  if (output_scale != nullptr) {
    scaled_weight = scaled(w, out_, in_, output_scale);
    w = scaled_weight.data();
    if (b != nullptr) scaled_bias = scaled(b, out_, 1, output_scale), b = scaled_bias.data();
  }
  const TensorView<const float> matrix(w, {out_, in_});
  forward_.pack(matrix, PackedWeight::Use::forward, {.type = type_, .bias = b, .input_scale = input_scale_});
  if (packing.training) backward_.pack(matrix, PackedWeight::Use::backward_data, {.type = type_});
}

void Linear::forward(ConstMatrix x, Matrix y, bool accumulate) const {
  if (observe_) observe_(weight_, x);
  const ProfileScope profile(forward_label_, flops(x.rows()));
  forward_.multiply(x, y, accumulate);
}

void Linear::backward(ConstMatrix dy, ConstMatrix x, const Shard& shard, const Gradients& gradients, Matrix dx) const {
  const ProfileScope profile(backward_label_, flops(x.rows()) * (dx ? 2 : 1));
  gradients.in_turn(section_, shard, [&] {
    const TensorView<float> dw(gradients.at(weight_) + first_ * in_, {out_, in_});
    add_weight_gradient(dy, x, dw, bias_ >= 0 ? gradients.at(bias_) + first_ : nullptr);
  });
  if (dx) backward_.multiply(dy, dx);
}

}  // namespace vit
