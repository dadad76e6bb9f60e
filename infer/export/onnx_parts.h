// The parts of a network in ONNX's operators (opset 17). One function a part; each adds nodes behind the value that it
// is handed and gives the value that comes out. B batch, N tokens, D width, H heads, K head size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "infer/export/onnx_builder.h"
#include "vit/layers/context.h"

namespace vit {

/// Tokens [B, N, D] that enter the first stage, from pixels [B, 3, S, S].
std::string onnx_embedding(OnnxBuilder& b, const std::string& pixels);
/// Block `index`, [B, N, D] to [B, N, D].
std::string onnx_block(OnnxBuilder& b, int64_t index, const std::string& x);
/// The value `output`: logits [B, C], or without a head the features that it would read. `leaving` is what left each
/// block.
void onnx_readout(OnnxBuilder& b, const std::vector<std::string>& leaving, const std::string& output);
/// The config's norm over the last axis, with the parameters `<name>.weight` and, if there is one, `<name>.bias`.
std::string onnx_norm(OnnxBuilder& b, const std::string& x, const std::string& name);
/// x W^T + bias over the last axis; the bias of `<name>.bias` where there is one.
std::string onnx_linear(OnnxBuilder& b, const std::string& x, const std::string& name);
/// The second Linear of the feed-forward `name`, behind the norm before it where there is one.
std::string onnx_second_linear(OnnxBuilder& b, std::string hidden, const std::string& name);
/// fc2(activation(fc1(x))) of the feed-forward `name`.
std::string onnx_mlp(OnnxBuilder& b, const std::string& x, const std::string& name);
/// [B, N, parts * D] to `parts` values [B, H, N, K].
std::vector<std::string> onnx_heads(OnnxBuilder& b, const std::string& x, int64_t parts, int64_t heads);
/// What attention reads: q [B, H, Nq, K], k and v [B, H, N, K], and a bias of the scores [1, H, Nq, N]; empty = none.
struct OnnxHeads {
  std::string q, k, v, bias;
};
/// softmax(q k^T / sqrt(K) + bias) v as [B, Nq, D].
std::string onnx_attention(OnnxBuilder& b, const OnnxHeads& x, int64_t heads);

/// A part that has no form here: Error (usage) that names it and what has one.
[[noreturn]] void fail_without_form(const std::string& kind, const std::string& word, const std::string& known);

/// For parts of the network that make constants themselves: their parameters by name from the model.
class OnnxPartSource {
 public:
  explicit OnnxPartSource(const OnnxBuilder& b) : b_(b), registry_(layout_) {}
  Registry& registry() { return registry_; }
  Packing packing() const {
    return {[this](int parameter) { return b_.values(layout_[parameter].name); }};
  }

 private:
  const OnnxBuilder& b_;
  ParameterLayout layout_;
  Registry registry_;
};

}  // namespace vit
