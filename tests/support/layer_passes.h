// Forward and backward of one layer on a bench with random input and output gradient.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "tests/support/layer_bench.h"
#include "vit/layers/attention.h"
#include "vit/layers/block.h"
#include "vit/layers/mlp.h"

namespace vit::test {

/// All fp32: what went in, the gradient that the output was given, and what came back.
struct Pass {
  AlignedBuffer<float> x, dy, dx;
};

inline Pass random_pass(LayerBench& bench, int64_t in, int64_t out, int64_t out_rows = LayerBench::kRows) {
  Pass pass;
  pass.x = bench.random(LayerBench::kRows * in);
  pass.dy = bench.random(out_rows * out);
  pass.dx = AlignedBuffer<float>(pass.x.size());
  return pass;
}

inline Pass linear_pass(LayerBench& bench, int64_t in, int64_t out, bool bias) {
  Linear layer(bench.registry_, "fc", in, out, {.bias = bias});
  bench.ready();
  layer.pack(bench.training());
  Pass pass = random_pass(bench, in, out);
  layer.backward(bench.for_product(view(pass.dy, out)), bench.for_product(view(pass.x, in)), bench.shard_,
                 bench.gradients(), view(pass.dx, in));
  return pass;
}

/// Forward and backward of a feed-forward layer, which the bench's registry has been given.
inline Pass feed_forward_pass(LayerBench& bench, FeedForward& layer, int64_t width) {
  bench.ready();
  layer.pack(bench.training(), nullptr);
  Pass pass = random_pass(bench, width, width);
  AlignedBuffer<float> y(pass.dy.size()), dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const auto x = bench.for_product(view(pass.x, width));
  const State saved = layer.plan(bench.arena_, LayerBench::kRows);
  const State scratch = layer.plan_scratch(bench.arena_, LayerBench::kRows, true);
  layer.forward_train(x, bench.shard_, saved, view(y, width));
  layer.backward(view(dy, width), x, saved, bench.shard_, bench.gradients(), scratch, view(pass.dx, width));
  return pass;
}

inline Pass mlp_pass(LayerBench& bench, const Mlp::Options& options) {
  Mlp layer(bench.registry_, "mlp", options);
  return feed_forward_pass(bench, layer, options.width);
}

/// The same of a mixer; `valid` [B] or null.
inline Pass mixer_pass(LayerBench& bench, Mixer& layer, int64_t width, bool class_row, const int32_t* valid) {
  bench.ready();
  bench.shard_.valid_tokens = valid;
  layer.pack(bench.training(), nullptr);
  const Shard& in = bench.shard_;
  const Shard out = class_row ? in.class_tokens() : in;
  Pass pass = random_pass(bench, width, width, out.rows());
  AlignedBuffer<float> y(pass.dy.size()), dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const auto x = bench.for_product(view(pass.x, width));
  const State saved = layer.plan(bench.arena_, in, out);
  const State scratch = layer.plan_scratch(bench.arena_, in, out, true);
  layer.forward_train(x, in, out, saved, scratch, view(y, width));
  layer.backward(view(dy, width), x, saved, in, out, bench.gradients(), scratch, view(pass.dx, width));
  return pass;
}

inline Pass attention_pass(LayerBench& bench, const Attention::Options& options, bool class_row, const int32_t* valid) {
  Attention layer(bench.registry_, "attn", options, {.tokens = bench.shard_.tokens, .class_row = class_row});
  return mixer_pass(bench, layer, options.width, class_row, valid);
}

/// Of a block as the first models have it.
struct PlainBlock {
  int64_t width = 0, heads = 0, mlp_width = 0;
  float eps = 1e-6f;
};
inline BlockParts plain_parts(const PlainBlock& o) {
  return {.norm = [o](Registry& registry, const std::string& name,
                      int64_t width) { return std::make_unique<LayerNorm>(registry, name, width, o.eps); },
          .mixer =
              [o](Registry& registry, const std::string& name, const MixerPlace& place) {
                return std::make_unique<Attention>(registry, name,
                                                   Attention::Options{.width = o.width, .heads = o.heads}, place);
              },
          .feed_forward =
              [o](Registry& registry, const std::string& name, int site) {
                return std::make_unique<Mlp>(
                    registry, name, Mlp::Options{.width = o.width, .hidden = o.mlp_width, .dropout_site = site});
              }};
}

/// The same of a block; `valid` [B] or null.
inline Pass block_pass(LayerBench& bench, const Block::Options& options, const BlockParts& parts,
                       const int32_t* valid) {
  Block layer(bench.registry_, "b", options, parts);
  bench.ready();
  bench.shard_.valid_tokens = valid;
  layer.pack(bench.training());
  const int64_t width = options.width;
  Pass pass = random_pass(bench, width, width, layer.leaving(bench.shard_).rows());
  AlignedBuffer<float> y(pass.dy.size()), dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const State recomputed = layer.plan_recomputed(bench.arena_, bench.shard_, Recompute::none);
  const State saved = layer.plan(bench.arena_, bench.shard_, Recompute::none, recomputed);
  const State scratch = layer.plan_scratch(bench.arena_, bench.shard_, true);
  layer.forward_train(view(pass.x, width), bench.shard_, saved, scratch, view(y, width));
  layer.backward(view(dy, width), view(pass.x, width), saved, bench.shard_, bench.gradients(), scratch,
                 view(pass.dx, width));
  return pass;
}

}  // namespace vit::test
