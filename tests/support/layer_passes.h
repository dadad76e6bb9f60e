// Forward and backward of one layer on a bench with random input and output gradient.
#pragma once

#include <algorithm>

#include "tests/support/layer_bench.h"
#include "vit/layers/block.h"

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

inline Pass mlp_pass(LayerBench& bench, const Mlp::Options& options) {
  Mlp layer(bench.registry_, "mlp", options);
  bench.ready();
  layer.pack(bench.training());
  Pass pass = random_pass(bench, options.width, options.width);
  AlignedBuffer<float> y(pass.dy.size()), dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const auto x = bench.for_product(view(pass.x, options.width));
  const Mlp::Saved saved = layer.plan(bench.arena_, LayerBench::kRows);
  const Mlp::Scratch scratch = layer.plan_scratch(bench.arena_, LayerBench::kRows, true);
  layer.forward_train(x, bench.shard_, saved, view(y, options.width));
  layer.backward(view(dy, options.width), x, saved, bench.shard_, bench.gradients(), scratch,
                 view(pass.dx, options.width));
  return pass;
}

/// `valid` [B] or null.
inline Pass attention_pass(LayerBench& bench, const Attention::Options& options, const int32_t* valid) {
  Attention layer(bench.registry_, "attn", options);
  bench.ready();
  bench.shard_.valid_tokens = valid;
  layer.pack(bench.training());
  const Shard& in = bench.shard_;
  const Shard out = options.class_row ? in.class_tokens() : in;
  Pass pass = random_pass(bench, options.width, options.width, out.rows());
  AlignedBuffer<float> y(pass.dy.size()), dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const auto x = bench.for_product(view(pass.x, options.width));
  const Attention::Saved saved = layer.plan(bench.arena_, in, out);
  const Attention::Scratch scratch = layer.plan_scratch(bench.arena_, in, out, true);
  layer.forward_train(x, in, out, saved, scratch, view(y, options.width));
  layer.backward(view(dy, options.width), x, saved, in, out, bench.gradients(), scratch, view(pass.dx, options.width));
  return pass;
}

/// `valid` [B] or null.
inline Pass block_pass(LayerBench& bench, const Block::Options& options, const int32_t* valid) {
  Block layer(bench.registry_, "b", options);
  bench.ready();
  bench.shard_.valid_tokens = valid;
  layer.pack(bench.training());
  Pass pass = random_pass(bench, options.width, options.width, layer.leaving(bench.shard_).rows());
  AlignedBuffer<float> dy(pass.dy.size());
  std::ranges::copy(pass.dy.span(), dy.data());
  const Block::Saved saved = layer.plan(bench.arena_, bench.shard_);
  const Block::Scratch scratch = layer.plan_scratch(bench.arena_, bench.shard_, true);
  layer.forward_train(view(pass.x, options.width), bench.shard_, saved, scratch);
  layer.backward(view(dy, options.width), view(pass.x, options.width), saved, bench.shard_, bench.gradients(), scratch,
                 view(pass.dx, options.width));
  return pass;
}

}  // namespace vit::test
