// Norms, Linears, activations and attention: what blocks and readouts have in common.
#include <cmath>
#include <numbers>
#include <utility>

#include "infer/export/onnx_parts.h"
#include "vit/core/word_rows.h"

namespace vit {
namespace {

using Value = OnnxBuilder::Value;

// ---- norms ----

Value layer_norm(OnnxBuilder& b, const Value& x, const std::string& name) {
  return b.node("LayerNormalization", {x, b.weight(name + ".weight"), b.weight(name + ".bias")},
                {{"axis", int64_t{-1}}, {"epsilon", b.config().eps}});
}

Value rms_norm(OnnxBuilder& b, const Value& x, const std::string& name) {
  const Value mean =
      b.node("ReduceMean", {b.node("Mul", {x, x})}, {{"axes", std::vector<int64_t>{-1}}, {"keepdims", int64_t{1}}});
  const Value root = b.node("Sqrt", {b.node("Add", {mean, b.number(b.config().eps)})});
  return b.node("Mul", {b.node("Div", {x, root}), b.weight(name + ".weight")});
}

struct NormForm {
  std::string_view word;
  Value (*add)(OnnxBuilder& b, const Value& x, const std::string& name);
};
constexpr NormForm kNorms[] = {{"layernorm", layer_norm}, {"rmsnorm", rms_norm}};

// ---- activations ----

/// x (1 + erf(x / sqrt 2)) / 2
Value gelu_erf(OnnxBuilder& b, const Value& x) {
  const Value erf = b.node("Erf", {b.node("Mul", {x, b.number(std::numbers::sqrt2_v<float> / 2)})});
  return b.node("Mul", {b.node("Mul", {x, b.node("Add", {erf, b.number(1)})}), b.number(0.5f)});
}

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
Value gelu_tanh(OnnxBuilder& b, const Value& x) {
  const Value cubed = b.node("Mul", {b.node("Mul", {x, x}), x});
  const Value inner = b.node("Add", {x, b.node("Mul", {cubed, b.number(0.044715f)})});
  const float root = static_cast<float>(std::sqrt(2 / std::numbers::pi));
  const Value tanh = b.node("Tanh", {b.node("Mul", {inner, b.number(root)})});
  return b.node("Mul", {b.node("Mul", {x, b.node("Add", {tanh, b.number(1)})}), b.number(0.5f)});
}

Value quick_gelu(OnnxBuilder& b, const Value& x) {
  return b.node("Mul", {x, b.node("Sigmoid", {b.node("Mul", {x, b.number(1.702f)})})});
}

Value activation(OnnxBuilder& b, const Value& x) {
  switch (b.config().activation) {
    case Activation::gelu_erf:
      return gelu_erf(b, x);
    case Activation::gelu_tanh:
      return gelu_tanh(b, x);
    case Activation::quick_gelu:
      return quick_gelu(b, x);
    case Activation::none:
      break;
  }
  return x;
}

}  // namespace

void fail_without_form(const std::string& kind, const std::string& word, const std::string& known) {
  fail(ErrorKind::usage, "[export] the ", kind, " '", word, "' has no form in ONNX; there are those of ", known);
}

Value onnx_norm(OnnxBuilder& b, const Value& x, const std::string& name) {
  const NormForm* form = find_row(kNorms, b.config().norm);
  if (form == nullptr) fail_without_form("norm", b.config().norm, word_list(row_words(kNorms)));
  return form->add(b, x, name);
}

Value onnx_linear(OnnxBuilder& b, const Value& x, const std::string& name) {
  const Value product = b.node("MatMul", {x, b.transposed(name + ".weight")});
  return b.has(name + ".bias") ? b.node("Add", {product, b.weight(name + ".bias")}) : product;
}

Value onnx_second_linear(OnnxBuilder& b, Value hidden, const std::string& name) {
  if (b.has(name + ".norm.weight")) hidden = onnx_norm(b, hidden, name + ".norm");
  return onnx_linear(b, hidden, name + ".fc2");
}

Value onnx_mlp(OnnxBuilder& b, const Value& x, const std::string& name) {
  return onnx_second_linear(b, activation(b, onnx_linear(b, x, name + ".fc1")), name);
}

std::vector<Value> onnx_heads(OnnxBuilder& b, const Value& x, int64_t parts, int64_t heads) {
  // [parts, B, H, N, K], so that a part is one index of the first axis.
  const Value lying = b.transpose(b.reshape(x, {0, 0, parts, heads, b.config().width / heads}), {2, 0, 3, 1, 4});
  std::vector<Value> out;
  for (int64_t i = 0; i < parts; ++i) out.push_back(b.node("Gather", {lying, b.integer(i)}, {{"axis", int64_t{0}}}));
  return out;
}

Value onnx_attention(OnnxBuilder& b, const OnnxHeads& x, int64_t heads) {
  const int64_t width = b.config().width;
  const float scale = 1 / std::sqrt(static_cast<float>(width / heads));
  Value scores = b.node("MatMul", {b.node("Mul", {x.q, b.number(scale)}), b.transpose(x.k, {0, 1, 3, 2})});
  if (!x.bias.empty()) scores = b.node("Add", {scores, x.bias});
  const Value mixed = b.node("MatMul", {b.node("Softmax", {scores}, {{"axis", int64_t{-1}}}), x.v});
  return b.reshape(b.transpose(mixed, {0, 2, 1, 3}), {0, 0, width});
}

}  // namespace vit
