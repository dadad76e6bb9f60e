// Every layer's backward against central differences of a plain double-precision forward. The loss is a random
// projection of the output: a plain sum would hide errors, its gradient through softmax and norm is zero.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tests/support/reference.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"
#include "vit/layers/block.h"
#include "vit/layers/head.h"
#include "vit/layers/patch_embed.h"

namespace vit {
namespace {

using test::Matrix;
using test::Weights;

constexpr test::Tolerance kLimit{1e-4, 1e-4};

/// A layer of the product in a harness: parameters, gates, gradient block, an arena, two images of five tokens.
class Bench {
 public:
  static constexpr int64_t kImages = 2, kTokens = 5;

  Bench() : registry_(layout_), random_(7, RandomPurpose::test) {}

  /// Call once the layer has registered its parameters.
  void ready() {
    weights_ = ParameterBlock(layout_.block_size());
    gradient_block_ = ParameterBlock(layout_.block_size());
    for (const Parameter& p : layout_.all())
      for (int64_t i = 0; i < p.count; ++i) at(weights_, p)[i] = random_.uniform(-0.7f, 0.7f);
    gates_.emplace(registry_.sections());
    arena_ = Arena(1 << 20);
    shard_.images = kImages;
    shard_.tokens = kTokens;
  }

  AlignedBuffer<float> random(int64_t count) {
    AlignedBuffer<float> out(count);
    for (float& x : out.span()) x = random_.uniform(-1, 1);
    return out;
  }

  Gradients gradients() { return {gradient_block_, layout_, *gates_}; }

  Weights doubles() const {
    Weights out;
    for (const Parameter& p : layout_.all()) out[p.name] = {at(weights_, p), at(weights_, p) + p.count};
    return out;
  }

  /// Compares the gradient block, and `dx` unless empty, with differences of sum(projection * forward(weights, x)).
  void expect_gradients(const std::function<Matrix(const Weights&, const Matrix&)>& forward, const Matrix& x,
                        std::span<const float> projection, std::span<const float> dx) const {
    Weights weights = doubles();
    Matrix input = x;
    const auto loss = [&] {
      const Matrix y = forward(weights, input);
      EXPECT_EQ(y.v.size(), projection.size());
      double sum = 0;
      for (std::size_t i = 0; i < y.v.size(); ++i) sum += y.v[i] * static_cast<double>(projection[i]);
      return sum;
    };
    const auto differences = [&](std::vector<double>& v) {
      constexpr double kStep = 1e-5;
      std::vector<double> out;
      for (double& value : v) {
        const double before = value;
        value = before + kStep;
        const double up = loss();
        value = before - kStep;
        out.push_back((up - loss()) / (2 * kStep));
        value = before;
      }
      return out;
    };
    for (const Parameter& p : layout_.all()) {
      const std::vector<double> want = differences(weights.at(p.name));
      const std::span<const float> got(at(gradient_block_, p), static_cast<std::size_t>(p.count));
      EXPECT_TRUE(test::is_close(got, std::span<const double>(want), kLimit)) << p.name;
    }
    if (dx.empty()) return;
    const std::vector<double> want = differences(input.v);
    EXPECT_TRUE(test::is_close(dx, std::span<const double>(want), kLimit)) << "input";
  }

  ParameterLayout layout_;
  Registry registry_;
  ParameterBlock weights_;
  ParameterBlock gradient_block_;
  std::optional<Turnstile> gates_;
  Arena arena_;
  Shard shard_;
  RandomStream random_;
};

Matrix matrix(std::span<const float> values, int64_t cols) {
  Matrix m(static_cast<int64_t>(values.size()) / cols, cols);
  std::ranges::copy(values, m.v.begin());
  return m;
}

TensorView<float> view(AlignedBuffer<float>& buffer, int64_t cols) {
  return {buffer.data(), {buffer.size() / cols, cols}};
}

constexpr int64_t kRows = Bench::kImages * Bench::kTokens;

TEST(Gradient, Linear) {
  for (bool bias : {true, false}) {
    Bench bench;
    Linear layer(bench.registry_, "fc", 6, 9, {.bias = bias, .weight_shape = {}});
    bench.ready();
    layer.pack(bench.layout_, bench.weights_, true);
    AlignedBuffer<float> x = bench.random(kRows * 6), dy = bench.random(kRows * 9), dx(kRows * 6);
    layer.backward(view(dy, 9), view(x, 6), bench.shard_, bench.gradients(), view(dx, 6));
    bench.expect_gradients([](const Weights& w, const Matrix& in) { return test::linear(in, w, "fc"); },
                           matrix(x.span(), 6), dy.span(), dx.span());
  }
}

TEST(Gradient, LayerNorm) {
  Bench bench;
  LayerNorm layer(bench.registry_, "norm", 11, 1e-3f);
  bench.ready();
  layer.pack(bench.layout_, bench.weights_);
  AlignedBuffer<float> x = bench.random(kRows * 11), y(kRows * 11), dy = bench.random(kRows * 11), dx(kRows * 11);
  const LayerNorm::Saved saved = LayerNorm::plan(bench.arena_, kRows);
  layer.forward_train(view(x, 11), view(y, 11), saved);
  layer.backward(view(dy, 11), view(x, 11), saved, bench.shard_, bench.gradients(), {}, view(dx, 11));
  bench.expect_gradients([](const Weights& w, const Matrix& in) { return test::layernorm(in, w, "norm", 1e-3); },
                         matrix(x.span(), 11), dy.span(), dx.span());
}

TEST(Gradient, Attention) {
  for (const std::vector<int32_t>& valid : {std::vector<int32_t>{}, std::vector<int32_t>{3, 5}}) {
    constexpr int64_t kWidth = 12, kHeads = 3;
    Bench bench;
    Attention layer(bench.registry_, "attn", {.width = kWidth, .heads = kHeads, .qkv_bias = true, .dropout_site = 0});
    bench.ready();
    bench.shard_.valid_tokens = valid.empty() ? nullptr : valid.data();
    layer.pack(bench.layout_, bench.weights_, true);
    AlignedBuffer<float> x = bench.random(kRows * kWidth), y(kRows * kWidth), dy = bench.random(kRows * kWidth),
                         dx(kRows * kWidth);
    const Attention::Saved saved = layer.plan(bench.arena_, bench.shard_);
    const Attention::Scratch scratch{bench.arena_.take<float>({kRows, 3 * kWidth}),
                                     bench.arena_.take<float>({kRows, kWidth}),
                                     bench.arena_.take<float>({layer.scratch_floats(Bench::kTokens)})};
    layer.forward_train(view(x, kWidth), bench.shard_, saved, scratch, view(y, kWidth));
    layer.backward(view(dy, kWidth), view(x, kWidth), saved, bench.shard_, bench.gradients(), scratch,
                   view(dx, kWidth));
    bench.expect_gradients(
        [&](const Weights& w, const Matrix& in) {
          return test::attention(in, w, "attn", Bench::kTokens, kHeads, valid);
        },
        matrix(x.span(), kWidth), dy.span(), dx.span());
  }
}

TEST(Gradient, Mlp) {
  for (Activation activation : {Activation::gelu_erf, Activation::gelu_tanh}) {
    Bench bench;
    Mlp layer(bench.registry_, "mlp", {.width = 6, .hidden = 17, .activation = activation, .dropout_site = 0});
    bench.ready();
    layer.pack(bench.layout_, bench.weights_, true);
    AlignedBuffer<float> x = bench.random(kRows * 6), y(kRows * 6), dy = bench.random(kRows * 6), dx(kRows * 6);
    const Mlp::Saved saved = layer.plan(bench.arena_, kRows);
    const Mlp::Scratch scratch{bench.arena_.take<float>({kRows, 17})};
    layer.forward_train(view(x, 6), bench.shard_, saved, view(y, 6));
    layer.backward(view(dy, 6), view(x, 6), saved, bench.shard_, bench.gradients(), scratch, view(dx, 6));
    bench.expect_gradients(
        [&](const Weights& w, const Matrix& in) {
          return test::mlp(in, w, "mlp", activation == Activation::gelu_tanh);
        },
        matrix(x.span(), 6), dy.span(), dx.span());
  }
}

TEST(Gradient, Block) {
  for (bool layer_scale : {false, true}) {
    constexpr int64_t kWidth = 8;
    Bench bench;
    Block layer(bench.registry_, "b",
                {.width = kWidth, .heads = 2, .mlp_width = 13, .eps = 1e-3f, .layer_scale = layer_scale});
    bench.ready();
    layer.pack(bench.layout_, bench.weights_, true);
    AlignedBuffer<float> x = bench.random(kRows * kWidth), dy = bench.random(kRows * kWidth), dx(kRows * kWidth);
    std::ranges::copy(dy.span(), dx.data());
    const Block::Saved saved = layer.plan(bench.arena_, bench.shard_);
    const Block::Scratch scratch = layer.plan_scratch(bench.arena_, bench.shard_);
    layer.forward_train(view(x, kWidth), bench.shard_, saved, scratch);
    layer.backward(view(dx, kWidth), view(x, kWidth), saved, bench.shard_, bench.gradients(), scratch);
    bench.expect_gradients(
        [](const Weights& w, const Matrix& in) {
          return test::block(in, w, "b",
                             {.tokens = Bench::kTokens, .heads = 2, .eps = 1e-3, .tanh_form = false, .valid = {}});
        },
        matrix(x.span(), kWidth), dy.span(), dx.span());
  }
}

TEST(Gradient, PatchEmbed) {
  for (bool class_token : {true, false}) {
    constexpr int64_t kWidth = 6, kPatches = 4, kPatchDim = 12;
    Bench bench;
    PatchEmbed layer(bench.registry_,
                     {.grid = 2, .patch_size = 2, .channels = 3, .width = kWidth, .class_token = class_token});
    bench.ready();
    bench.shard_.tokens = kPatches + (class_token ? 1 : 0);
    layer.pack(bench.layout_, bench.weights_);
    AlignedBuffer<float> patches = bench.random(Bench::kImages * kPatches * kPatchDim);
    AlignedBuffer<float> dy = bench.random(bench.shard_.rows() * kWidth), x(dy.size());
    const PatchEmbed::Scratch scratch = layer.plan_scratch(bench.arena_, Bench::kImages);
    layer.forward_train(view(patches, kPatchDim), bench.shard_, scratch, view(x, kWidth));
    layer.backward(view(dy, kWidth), view(patches, kPatchDim), bench.shard_, bench.gradients(), scratch);
    bench.expect_gradients([](const Weights& w, const Matrix& in) { return test::patch_embed(in, w, Bench::kImages); },
                           matrix(patches.span(), kPatchDim), dy.span(), {});
  }
}

TEST(Gradient, Head) {
  for (Pooling pooling : {Pooling::class_token, Pooling::mean})
    for (const std::vector<int32_t>& valid : {std::vector<int32_t>{}, std::vector<int32_t>{5, 3}}) {
      constexpr int64_t kWidth = 7, kClasses = 4;
      Bench bench;
      Head layer(bench.registry_, {.width = kWidth, .classes = kClasses, .eps = 1e-6f, .pooling = pooling});
      bench.ready();
      bench.shard_.valid_tokens = valid.empty() ? nullptr : valid.data();
      layer.pack(bench.layout_, bench.weights_, true);
      AlignedBuffer<float> x = bench.random(kRows * kWidth), logits(Bench::kImages * kClasses);
      AlignedBuffer<float> dy = bench.random(logits.size()), dfeatures(Bench::kImages * kWidth), dx(x.size());
      const Head::Saved saved = layer.plan(bench.arena_, Bench::kImages);
      layer.forward(view(x, kWidth), bench.shard_, saved, view(logits, kClasses));
      layer.backward(view(dy, kClasses), saved, bench.shard_, bench.gradients(), view(dfeatures, kWidth),
                     view(dx, kWidth));
      bench.expect_gradients(
          [&](const Weights& w, const Matrix& in) {
            return test::head(in, w, Bench::kTokens, pooling == Pooling::mean, true, valid);
          },
          matrix(x.span(), kWidth), dy.span(), dx.span());
    }
}

}  // namespace
}  // namespace vit
