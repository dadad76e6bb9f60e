// What left the blocks to logits.
#include <algorithm>
#include <string_view>
#include <utility>

#include "infer/export/onnx_parts.h"
#include "vit/model/parts.h"

namespace vit {
namespace {

using Value = OnnxBuilder::Value;
using Leaving = std::vector<Value>;

// The last norm stands before pooling ("norm"), behind it ("fc_norm"), or nowhere, as the parameters say.

Value normed_tokens(OnnxBuilder& b, const Value& x) { return b.has("norm.weight") ? onnx_norm(b, x, "norm") : x; }

Value normed_features(OnnxBuilder& b, const Value& x) {
  return b.has("fc_norm.weight") ? onnx_norm(b, x, "fc_norm") : x;
}

/// [B, D] of a token of each image.
Value token(OnnxBuilder& b, const Value& x, int64_t index) {
  return b.node("Gather", {x, b.integer(index)}, {{"axis", int64_t{1}}});
}

Value mean_of_grid(OnnxBuilder& b, const Value& x) {
  const int64_t prefix = b.config().tokens().prefix;
  return b.node("ReduceMean", {prefix > 0 ? b.slice(x, 1, prefix) : x},
                {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
}

// ---- poolings ----

Value pool_token(OnnxBuilder& b, const Leaving& leaving, int64_t index) {
  // The norm works row by row: it sees the one token that is read.
  return normed_features(b, normed_tokens(b, token(b, leaving.back(), index)));
}

Value pool_mean(OnnxBuilder& b, const Leaving& leaving) {
  return normed_features(b, mean_of_grid(b, normed_tokens(b, leaving.back())));
}

/// The tokens' sum by the softmax of their scores.
Value pool_sequence(OnnxBuilder& b, const Leaving& leaving) {
  const Value x = normed_tokens(b, leaving.back());
  const Value scores = b.transpose(onnx_linear(b, x, "attention_pool"), {0, 2, 1});
  const Value shares = b.node("Softmax", {scores}, {{"axis", int64_t{-1}}});
  const Value sum = b.reshape(b.node("MatMul", {shares, x}), {0, b.config().width});
  return normed_features(b, sum);
}

/// Attention of a learned query, and a feed-forward.
Value pool_map(OnnxBuilder& b, const Leaving& leaving) {
  const ModelConfig& c = b.config();
  const int64_t heads = c.pool_heads > 0 ? c.pool_heads : c.heads;
  Value x = normed_tokens(b, leaving.back());
  if (!c.pool_prefix && c.tokens().prefix > 0) x = b.slice(x, 1, c.tokens().prefix);
  // The query is the same for all images: its one row goes beside all of theirs.
  const Value query = onnx_linear(b, b.weight("attn_pool.latent"), "attn_pool.q");
  const std::vector<Value> kv = onnx_heads(b, onnx_linear(b, x, "attn_pool.kv"), 2, heads);
  const Value mixed = onnx_attention(b, {onnx_heads(b, query, 1, heads).front(), kv[0], kv[1], {}}, heads);
  const Value pooled = onnx_linear(b, mixed, "attn_pool.proj");
  const Value branch = onnx_mlp(b, onnx_norm(b, pooled, "attn_pool.norm"), "attn_pool.mlp");
  return token(b, b.node("Add", {pooled, branch}), 0);
}

/// The class tokens of the last blocks, oldest first, and the mean of the grid.
Value pool_token_avg(OnnxBuilder& b, const Leaving& leaving) {
  std::vector<Value> parts;
  const auto layers = static_cast<std::size_t>(b.config().readout_layers);
  for (std::size_t i = leaving.size() - std::min(layers, leaving.size()); i + 1 < leaving.size(); ++i)
    parts.push_back(normed_tokens(b, token(b, leaving[i], 0)));
  const Value last = normed_tokens(b, leaving.back());
  parts.push_back(token(b, last, 0));
  parts.push_back(mean_of_grid(b, last));
  return b.node("Concat", std::move(parts), {{"axis", int64_t{-1}}});
}

struct PoolingForm {
  std::string_view word;
  Value (*add)(OnnxBuilder& b, const Leaving& leaving);
};
constexpr PoolingForm kPoolings[] = {{"token", [](OnnxBuilder& b, const Leaving& x) { return pool_token(b, x, 0); }},
                                     {"avg", pool_mean},
                                     {"seq", pool_sequence},
                                     {"map", pool_map},
                                     {"token_avg", pool_token_avg}};

// ---- heads ----

Value head(OnnxBuilder& b, const Value& features, const std::string& name) {
  std::vector<Value> inputs{features, b.weight(name + ".weight")};
  if (b.has(name + ".bias")) inputs.push_back(b.weight(name + ".bias"));
  return b.node("Gemm", std::move(inputs), {{"transB", int64_t{1}}});
}

/// The means of what the class token and the distillation token give.
Value mean_of_both(OnnxBuilder& b, const Value& first, const Value& second) {
  return b.node("Mul", {b.node("Add", {first, second}), b.number(0.5f)});
}

Value distilled_readout(OnnxBuilder& b, const Leaving& leaving) {
  const Value first = pool_token(b, leaving, 0), second = pool_token(b, leaving, 1);
  if (b.config().classes == 0) return mean_of_both(b, first, second);
  return mean_of_both(b, head(b, first, "head"), head(b, second, "head_dist"));
}

Value pooled_readout(OnnxBuilder& b, const Leaving& leaving) {
  const PoolingForm* pooling = find_row(kPoolings, b.config().pooling);
  if (pooling == nullptr) fail_without_form("pooling", b.config().pooling, word_list(row_words(kPoolings)));
  const Value features = pooling->add(b, leaving);
  return b.config().classes > 0 ? head(b, features, "head") : features;
}

}  // namespace

void onnx_readout(OnnxBuilder& b, const Leaving& leaving, const Value& output) {
  b.set_scope("readout");
  const Value x = b.config().distilled ? distilled_readout(b, leaving) : pooled_readout(b, leaving);
  b.named_node("Identity", {x}, output);
}

}  // namespace vit
