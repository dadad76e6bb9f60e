#include "vit/model/flops.h"

namespace vit {
namespace {

/// Of one block, of whose N tokens `leaving` go on.
struct BlockFlops {
  double qkv = 0, attention = 0, rest = 0;  // rest: projection and mlp

  BlockFlops(const ModelConfig& c, int64_t leaving) {
    const auto n = static_cast<double>(c.tokens()), out = static_cast<double>(leaving);
    const auto d = static_cast<double>(c.width), f = static_cast<double>(c.mlp_width);
    qkv = 2 * (2 * n + out) * d * d;  // keys and values of all tokens, queries of those that go on
    attention = 4 * out * n * d;
    rest = 2 * out * (d * d + 2 * d * f);
  }
  double linear() const { return qkv + rest; }
};

BlockFlops full_block(const ModelConfig& c) { return {c, c.tokens()}; }

BlockFlops last_block(const ModelConfig& c, LastBlock last) {
  const bool one = last == LastBlock::leaving_tokens && c.pooling == Pooling::class_token;
  return {c, one ? 1 : c.tokens()};
}

}  // namespace

Flops forward_flops(const ModelConfig& c, LastBlock last) {
  const BlockFlops full = full_block(c), end = last_block(c, last);
  const auto blocks = static_cast<double>(c.depth - 1), d = static_cast<double>(c.width);
  return {.embedding = 2 * static_cast<double>(c.patches()) * static_cast<double>(c.patch_dim()) * d,
          .linear = blocks * full.linear() + end.linear(),
          .attention = blocks * full.attention + end.attention,
          .head = 2 * d * static_cast<double>(c.classes)};
}

Flops training_flops(const ModelConfig& c, Recompute recompute, LastBlock last) {
  const Flops forward = forward_flops(c, last);
  // Backward has two products for each of forward's: the gradients of the weights and of the inputs, which the pixels
  // need not. Attention has five for two, of which one are the scores again.
  Flops step{.embedding = 2 * forward.embedding,
             .linear = 3 * forward.linear,
             .attention = 3.5 * forward.attention,
             .head = 3 * forward.head};
  // The last block keeps all.
  const BlockFlops full = full_block(c);
  const auto again = static_cast<double>(c.depth - 1);
  if (recompute != Recompute::none) step.attention += again * full.attention;
  if (recompute == Recompute::attention) step.linear += again * full.qkv;
  if (recompute == Recompute::block) step.linear += again * full.linear();
  return step;
}

}  // namespace vit
