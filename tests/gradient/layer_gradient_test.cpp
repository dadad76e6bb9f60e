// Every layer's backward against central differences of a plain double-precision forward. The loss is a random
// projection of the output: a plain sum would hide errors, its gradient through softmax and norm is zero.
#include <gtest/gtest.h>

#include "tests/support/layer_passes.h"
#include "vit/layers/embedding.h"
#include "vit/layers/patch_tokenizer.h"
#include "vit/layers/pooled_readout.h"

namespace vit {
namespace {

using test::double_matrix;
using test::LayerBench;
using test::Pass;
using test::view;
using test::Weights;
using Doubles = test::Matrix;

constexpr int64_t kRows = LayerBench::kRows, kTokens = LayerBench::kTokens;

const std::vector<int32_t> kAll{}, kSome{3, 5};
const int32_t* pointer(const std::vector<int32_t>& valid) { return valid.empty() ? nullptr : valid.data(); }

/// The class tokens' rows.
Doubles class_rows(const Doubles& x) {
  Doubles rows(x.rows / kTokens, x.cols);
  for (int64_t b = 0; b < rows.rows; ++b)
    for (int64_t c = 0; c < x.cols; ++c) rows(b, c) = x(b * kTokens, c);
  return rows;
}

TEST(Gradient, Linear) {
  for (bool bias : {true, false}) {
    LayerBench bench;
    const Pass pass = test::linear_pass(bench, 6, 9, bias);
    bench.expect_gradients([](const Weights& w, const Doubles& in) { return test::linear(in, w, "fc"); },
                           double_matrix(pass.x.span(), 6), pass.dy.span(), pass.dx.span());
  }
}

TEST(Gradient, LayerNorm) {
  LayerBench bench;
  LayerNorm layer(bench.registry_, "norm", 11, 1e-3f);
  bench.ready();
  layer.pack(bench.training());
  Pass pass = test::random_pass(bench, 11, 11);
  AlignedBuffer<float> y(pass.x.size());
  const Norm::Saved saved = layer.plan(bench.arena_, kRows);
  layer.forward_train(view(pass.x, 11), view(y, 11), saved);
  layer.backward(view(pass.dy, 11), view(pass.x, 11), saved, bench.shard_, bench.gradients(), {}, view(pass.dx, 11));
  bench.expect_gradients([](const Weights& w, const Doubles& in) { return test::layernorm(in, w, "norm", 1e-3); },
                         double_matrix(pass.x.span(), 11), pass.dy.span(), pass.dx.span());
}

TEST(Gradient, Attention) {
  for (const bool class_row : {false, true})
    for (const bool qkv_bias : {true, false})
      for (const std::vector<int32_t>& valid : {kAll, kSome}) {
        constexpr int64_t kWidth = 12, kHeads = 3;
        LayerBench bench;
        const Pass pass = test::attention_pass(bench, {.width = kWidth, .heads = kHeads, .qkv_bias = qkv_bias},
                                               class_row, pointer(valid));
        SCOPED_TRACE(testing::Message() << "class_row " << class_row << " bias " << qkv_bias);
        bench.expect_gradients(
            [&](const Weights& w, const Doubles& in) {
              const Doubles y = test::attention(in, w, "attn", kTokens, kHeads, valid);
              return class_row ? class_rows(y) : y;
            },
            double_matrix(pass.x.span(), kWidth), pass.dy.span(), pass.dx.span());
      }
}

TEST(Gradient, Mlp) {
  for (Activation activation : {Activation::gelu_erf, Activation::gelu_tanh, Activation::quick_gelu}) {
    LayerBench bench;
    const Pass pass = test::mlp_pass(bench, {.width = 6, .hidden = 17, .activation = activation});
    bench.expect_gradients([&](const Weights& w, const Doubles& in) { return test::mlp(in, w, "mlp", activation); },
                           double_matrix(pass.x.span(), 6), pass.dy.span(), pass.dx.span());
  }
}

TEST(Gradient, Block) {
  for (const bool class_row : {false, true})
    for (const bool layer_scale : {false, true})
      for (const std::vector<int32_t>& valid : {kAll, kSome}) {
        constexpr int64_t kWidth = 8;
        LayerBench bench;
        const Pass pass = test::block_pass(
            bench, {.width = kWidth, .layer_scale = layer_scale, .class_row = class_row},
            test::plain_parts({.width = kWidth, .heads = 2, .mlp_width = 13, .eps = 1e-3f}), pointer(valid));
        SCOPED_TRACE(testing::Message() << "class_row " << class_row << " layer_scale " << layer_scale);
        bench.expect_gradients(
            [&](const Weights& w, const Doubles& in) {
              const Doubles y = test::block(in, w, "b", {.tokens = kTokens, .heads = 2, .eps = 1e-3, .valid = valid});
              return class_row ? class_rows(y) : y;
            },
            double_matrix(pass.x.span(), kWidth), pass.dy.span(), pass.dx.span());
      }
}

TEST(Gradient, Embedding) {
  for (bool class_token : {true, false}) {
    constexpr int64_t kWidth = 6, kPatches = 4, kPatchDim = 12;
    LayerBench bench;
    const Tokens tokens{.prefix = class_token ? 1 : 0, .rows = 2, .cols = 2};
    Embedding::Options options{.tokens = tokens, .width = kWidth};
    if (class_token) options.prefix = {{.name = "cls_token"}};
    Embedding layer(bench.registry_, options, [](Registry& registry) {
      return std::make_unique<PatchTokenizer>(
          registry, PatchTokenizer::Options{.patches = kPatches, .patch_size = 2, .channels = 3, .width = kWidth});
    });
    bench.ready();
    bench.shard_.tokens = tokens;
    layer.pack(bench.training());
    AlignedBuffer<float> patches = bench.random(LayerBench::kImages * kPatches * kPatchDim);
    AlignedBuffer<float> dy = bench.random(bench.shard_.rows() * kWidth), x(dy.size());
    const State scratch = layer.plan_scratch(bench.arena_, LayerBench::kImages, true);
    layer.forward_train(view(patches, kPatchDim), bench.shard_, scratch, view(x, kWidth));
    layer.backward(view(dy, kWidth), view(patches, kPatchDim), bench.shard_, bench.gradients(), scratch);
    bench.expect_gradients(
        [](const Weights& w, const Doubles& in) { return test::patch_embed(in, w, LayerBench::kImages); },
        double_matrix(patches.span(), kPatchDim), dy.span(), {});
  }
}

TEST(Gradient, PooledReadout) {
  const MakeNorm layer_norm = [](Registry& registry, const std::string& name, int64_t width) {
    return std::make_unique<LayerNorm>(registry, name, width, 1e-6f);
  };
  for (Pooling pooling : {Pooling::class_token, Pooling::mean})
    for (const std::vector<int32_t>& valid : {std::vector<int32_t>{}, std::vector<int32_t>{5, 3}}) {
      constexpr int64_t kWidth = 7, kClasses = 4;
      const bool mean = pooling == Pooling::mean;
      LayerBench bench;
      PooledReadout layer(bench.registry_, {.width = kWidth, .classes = kClasses, .pooling = pooling},
                          mean ? FinalNorms{.after = layer_norm} : FinalNorms{.before = layer_norm});
      bench.ready();
      bench.shard_.valid_tokens = pointer(valid);
      layer.pack(bench.training());
      // With the class token the head is handed its rows only.
      const int64_t rows = mean ? kRows : LayerBench::kImages;
      AlignedBuffer<float> x = bench.random(rows * kWidth), logits(LayerBench::kImages * kClasses);
      AlignedBuffer<float> dy = bench.random(logits.size()), dx(x.size());
      const State state = layer.plan(bench.arena_, bench.shard_, true);
      layer.forward(view(x, kWidth), bench.shard_, state, view(logits, kClasses));
      layer.backward(view(dy, kClasses), view(x, kWidth), state, bench.shard_, bench.gradients(), view(dx, kWidth));
      bench.expect_gradients(
          [&](const Weights& w, const Doubles& in) { return test::head(in, w, mean ? kTokens : 1, mean, true, valid); },
          double_matrix(x.span(), kWidth), dy.span(), dx.span());
    }
}

}  // namespace
}  // namespace vit
