// Pixels to tokens.
#include <algorithm>
#include <utility>

#include "infer/export/onnx_parts.h"
#include "vit/model/parts.h"

namespace vit {
namespace {

using Value = OnnxBuilder::Value;

/// [B, D, rows, cols] to [B, rows * cols, D].
Value in_rows(OnnxBuilder& b, const Value& x) {
  return b.transpose(b.reshape(x, {0, b.config().width, b.config().tokens().patches()}), {0, 2, 1});
}

Value patch_tokens(OnnxBuilder& b, const Value& pixels) {
  const int64_t side = b.config().patch_size;
  std::vector<Value> inputs{pixels, b.weight("patch_embed.proj.weight")};
  if (b.has("patch_embed.proj.bias")) inputs.push_back(b.weight("patch_embed.proj.bias"));
  const Value cut =
      b.node("Conv", std::move(inputs),
             {{"kernel_shape", std::vector<int64_t>{side, side}}, {"strides", std::vector<int64_t>{side, side}}});
  const Value rows = in_rows(b, cut);
  return b.config().patch_norm ? onnx_norm(b, rows, "patch_embed.norm") : rows;
}

Value conv_tokens(OnnxBuilder& b, Value x) {
  const ModelConfig& c = b.config();
  const auto square = [](int64_t n) { return std::vector<int64_t>{n, n}; };
  const auto around = [](int64_t n) { return std::vector<int64_t>{n, n, n, n}; };
  for (int64_t i = 0; i < c.conv_layers; ++i) {
    x = b.node("Conv", {x, b.weight(concat("tokenizer.conv_layers.", i, ".0.weight"))},
               {{"kernel_shape", square(c.conv_kernel)},
                {"strides", square(c.conv_stride)},
                {"pads", around(c.conv_kernel / 2)}});
    x = b.node("Relu", {x});
    x = b.node("MaxPool", {x}, {{"kernel_shape", square(3)}, {"strides", square(2)}, {"pads", around(1)}});
  }
  return in_rows(b, x);
}

struct TokenizerForm {
  std::string_view word;
  Value (*add)(OnnxBuilder& b, Value pixels);
};
constexpr TokenizerForm kTokenizers[] = {
    {"patch", [](OnnxBuilder& b, Value x) { return patch_tokens(b, x); }},
    {"conv", [](OnnxBuilder& b, Value x) { return conv_tokens(b, std::move(x)); }}};

/// What is added to every image [N, D]: positions, and in their own rows the tokens in front of the grid.
std::vector<float> added_rows(const OnnxBuilder& b, const Tokens& tokens) {
  const ModelConfig& c = b.config();
  std::vector<float> rows(static_cast<std::size_t>(tokens.count() * c.width), 0.0f);
  const PositionPart& position = position_embeddings().at(c.position);
  if (position.fill) {
    position.fill(tokens, TensorView<float>(rows.data(), {tokens.count(), c.width}));
  } else {
    const int64_t count = b.parameter("pos_embed").count;  // of all tokens, or of those of the grid
    std::copy_n(b.values("pos_embed").data, count, rows.data() + (tokens.count() * c.width - count));
  }
  float* row = rows.data();
  for (const PrefixPart& part : prefix_tokens().rows()) {
    const int64_t count = part.count(c) * c.width;
    if (count == 0) continue;
    const ParameterValues values = b.values(part.word);
    for (int64_t i = 0; i < count; ++i) row[i] += values.data[i];
    row += count;
  }
  return rows;
}

}  // namespace

Value onnx_embedding(OnnxBuilder& b, const Value& pixels) {
  const ModelConfig& c = b.config();
  const Tokens tokens = c.tokens();
  const TokenizerForm* form = find_row(kTokenizers, c.tokenizer);
  if (form == nullptr) fail_without_form("tokenizer", c.tokenizer, word_list(row_words(kTokenizers)));
  b.set_scope("embedding");
  Value x = form->add(b, pixels);
  // Zeros in front, to which the rows of the tokens there are added: no node asks for the size of the batch.
  if (tokens.prefix > 0) x = b.node("Pad", {x, b.integers({0, tokens.prefix, 0, 0, 0, 0})});
  x = b.node("Add", {x, b.floats("prefix_and_positions", {1, tokens.count(), c.width}, added_rows(b, tokens))});
  return c.pre_norm ? onnx_norm(b, x, "norm_pre") : x;
}

}  // namespace vit
