// Mixer and feed-forward of a block.
#include <cstddef>
#include <memory>
#include <utility>

#include "infer/export/onnx_parts.h"
#include "vit/layers/rope.h"
#include "vit/model/parts.h"

namespace vit {
namespace {

using Value = OnnxBuilder::Value;

// ---- feed-forwards ----

/// fc2(silu(gate) * value)
Value swiglu(OnnxBuilder& b, const Value& x, const std::string& name) {
  const std::vector<Value> parts = b.split(onnx_linear(b, x, name + ".fc1"), 2, -1);
  const Value gate = b.node("Mul", {parts[0], b.node("Sigmoid", {parts[0]})});
  return onnx_second_linear(b, b.node("Mul", {gate, parts[1]}), name);
}

struct FeedForwardForm {
  std::string_view word;
  Value (*add)(OnnxBuilder& b, const Value& x, const std::string& name);
};
constexpr FeedForwardForm kFeedForwards[] = {{"mlp", onnx_mlp}, {"swiglu", swiglu}};

// ---- queries and keys ----

MixerPlace place_of(const ModelConfig& c, int64_t block) {
  return {.tokens = c.tokens(), .block = block, .depth = c.depth};
}

struct HeadPair {
  Value q, k;  // [B, H, N, K]
};

HeadPair qk_norm(OnnxBuilder& b, int64_t, const std::string& name, const HeadPair& x) {
  return {onnx_norm(b, x.q, name + ".q_norm"), onnx_norm(b, x.k, name + ".k_norm")};
}

/// The other element of each pair, in its place.
Value swap_pairs(OnnxBuilder& b, const Value& x, RotaryPairs pairs, int64_t head_size) {
  if (pairs == RotaryPairs::halves) {
    const std::vector<Value> halves = b.split(x, 2, -1);
    return b.node("Concat", {halves[1], halves[0]}, {{"axis", int64_t{-1}}});
  }
  std::vector<int64_t> order;
  for (int64_t i = 0; i < head_size; ++i) order.push_back(i ^ 1);
  return b.node("Gather", {x, b.integers(order)}, {{"axis", int64_t{-1}}});
}

struct RopeTables {
  Value cosine, sine;  // [1, 1 or H, N, K]: (a, b) becomes (a cos - b sin, b cos + a sin)
};

RopeTables rope_tables(OnnxBuilder& b, const Rope& rope, const std::string& name) {
  const ModelConfig& c = b.config();
  const int64_t tokens = c.tokens().count(), size = c.head_size(), heads = rope.learned() ? c.heads : 1;
  std::vector<float> cosine, sine;
  for (int64_t h = 0; h < heads; ++h) {
    const Rope::Angles angles = rope.angles(h);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < size; ++i) {
        const bool halves = rope.pairing() == RotaryPairs::halves;
        const int64_t pair = halves ? i % (size / 2) : i / 2;
        const bool first = halves ? i < size / 2 : i % 2 == 0;
        cosine.push_back(angles.cosine(t, pair));
        sine.push_back(first ? -angles.sine(t, pair) : angles.sine(t, pair));
      }
  }
  const std::string scope = rope.learned() ? name + ".rope" : "rope";  // fixed ones are the same in all blocks
  return {b.floats(scope + ".cosine", {1, heads, tokens, size}, std::move(cosine)),
          b.floats(scope + ".sine", {1, heads, tokens, size}, std::move(sine))};
}

HeadPair rotate(OnnxBuilder& b, int64_t block, const std::string& name, const HeadPair& x) {
  OnnxPartSource source(b);
  const auto map = query_key_maps().at("rope").make(b.config(), source.registry(), name, place_of(b.config(), block));
  map->pack(source.packing());
  const auto* rope = dynamic_cast<const Rope*>(map.get());
  if (rope == nullptr) fail(ErrorKind::internal, "[export] the rotary positions are of an unknown kind");
  const RopeTables tables = rope_tables(b, *rope, name);
  const auto turned = [&](const Value& heads) {
    const Value other = swap_pairs(b, heads, rope->pairing(), b.config().head_size());
    return b.node("Add", {b.node("Mul", {heads, tables.cosine}), b.node("Mul", {other, tables.sine})});
  };
  return {turned(x.q), turned(x.k)};
}

struct QueryKeyForm {
  std::string_view word;
  HeadPair (*add)(OnnxBuilder& b, int64_t block, const std::string& name, const HeadPair& x);
};
constexpr QueryKeyForm kQueryKeyMaps[] = {{"qk_norm", qk_norm}, {"rope", rotate}};

HeadPair mapped(OnnxBuilder& b, int64_t block, const std::string& name, HeadPair x) {
  for (const QueryKeyMapPart& part : query_key_maps().rows()) {
    if (!part.wanted(b.config())) continue;
    const QueryKeyForm* form = find_row(kQueryKeyMaps, part.word);
    if (form == nullptr) fail_without_form("map of queries and keys", part.word, word_list(row_words(kQueryKeyMaps)));
    x = form->add(b, block, name, x);
  }
  return x;
}

/// [1, H, N, N] of any kind of bias; empty where there is none.
Value score_bias(OnnxBuilder& b, int64_t block, const std::string& name) {
  const ModelConfig& c = b.config();
  for (const AttentionBiasPart& part : attention_biases().rows()) {
    if (!part.wanted(c)) continue;
    OnnxPartSource source(b);
    const auto bias = part.make(c, source.registry(), name, place_of(c, block));
    bias->pack(source.packing());
    std::vector<float> values;
    for (int64_t h = 0; h < c.heads; ++h) {
      const TensorView<const float> rows = bias->of_head(h);
      values.insert(values.end(), rows.data(), rows.data() + rows.size());
    }
    return b.floats(name + ".bias_of_scores", {1, c.heads, c.tokens().count(), c.tokens().count()}, std::move(values));
  }
  return {};
}

// ---- mixers ----

Value attention(OnnxBuilder& b, int64_t block, const std::string& name, const Value& x) {
  const int64_t heads = b.config().heads;
  const std::vector<Value> qkv = onnx_heads(b, onnx_linear(b, x, name + ".qkv"), 3, heads);
  const HeadPair pair = mapped(b, block, name, {qkv[0], qkv[1]});
  Value mixed = onnx_attention(b, {pair.q, pair.k, qkv[2], score_bias(b, block, name)}, heads);
  if (b.has(name + ".norm.weight")) mixed = onnx_norm(b, mixed, name + ".norm");
  return onnx_linear(b, mixed, name + ".proj");
}

struct MixerForm {
  std::string_view word;
  Value (*add)(OnnxBuilder& b, int64_t block, const std::string& name, const Value& x);
};
constexpr MixerForm kMixers[] = {{"attention", attention}};

/// x + branch, the branch times its layer scale where there is one.
Value residual(OnnxBuilder& b, const Value& x, Value branch, const std::string& scale) {
  if (b.has(scale)) branch = b.node("Mul", {branch, b.weight(scale)});
  return b.node("Add", {x, branch});
}

}  // namespace

Value onnx_block(OnnxBuilder& b, int64_t index, const Value& x) {
  const ModelConfig& c = b.config();
  const MixerForm* mixer = find_row(kMixers, c.mixer);
  if (mixer == nullptr) fail_without_form("mixer", c.mixer, word_list(row_words(kMixers)));
  const FeedForwardForm* feed_forward = find_row(kFeedForwards, c.mlp);
  if (feed_forward == nullptr) fail_without_form("feed-forward", c.mlp, word_list(row_words(kFeedForwards)));
  const std::string name = concat("blocks.", index);
  b.set_scope(name + ".attn");
  const Value mixed = mixer->add(b, index, name + ".attn", onnx_norm(b, x, name + ".norm1"));
  const Value middle = residual(b, x, mixed, name + ".ls1.gamma");
  b.set_scope(name + ".mlp");
  return residual(b, middle, feed_forward->add(b, onnx_norm(b, middle, name + ".norm2"), name + ".mlp"),
                  name + ".ls2.gamma");
}

}  // namespace vit
