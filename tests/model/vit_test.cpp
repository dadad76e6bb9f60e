#include "vit/model/vit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/layer_passes.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"
#include "vit/kernels/isa.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

using test::expect_close;

ModelConfig config(const std::string& pooling) {
  ModelConfig c;
  c.name = "small";
  c.image_size = 16;
  c.patch_size = 4;
  c.width = 32;
  c.depth = 2;
  c.heads = 2;
  c.mlp_width = 64;
  c.classes = 5;
  c.pooling = pooling;
  return c;
}

Model random_model(const std::string& pooling) {
  Model model = make_model(config(pooling), 5);
  RandomStream random(5, RandomPurpose::test);
  for (const Parameter& p : model.layout.all())
    for (int64_t i = 0; p.role.decay && i < p.count; ++i) at(model.weights, p)[i] = 0.2f * random.normal();
  return model;
}

AlignedBuffer<float> noise(int64_t count, uint64_t seed) {
  AlignedBuffer<float> out(count);
  RandomStream random(seed, RandomPurpose::test);
  for (float& x : out.span()) x = random.uniform(-1, 1);
  return out;
}

struct Planned {
  Planned(const Vit& network, int64_t images) {
    Arena counting;
    network.plan_inference(counting, images);
    arena = Arena(counting.used());
    workspace = network.plan_inference(arena, images);
  }
  Arena arena;
  InferenceWorkspace workspace;
};

/// Logits of `patches`, of which the first `valid[b]` tokens of image b count.
std::vector<float> logits(const Model& model, const VitOptions& options, const AlignedBuffer<float>& patches,
                          const std::vector<int32_t>& valid) {
  const ModelConfig& c = model.config;
  Vit network(c, options);
  network.pack(block_source(model.layout, model.weights), false);
  Shard shard;
  shard.images = static_cast<int64_t>(valid.size());
  shard.tokens = c.tokens();
  shard.valid_tokens = valid.data();
  const Planned planned(network, shard.images);
  std::vector<float> out(valid.size() * static_cast<std::size_t>(c.classes));
  network.forward(TensorView<const float>(patches.data(), {shard.images * c.patches(), c.patch_dim()}), shard,
                  planned.workspace, TensorView<float>(out.data(), {shard.images, c.classes}), {});
  return out;
}

const std::vector<int32_t> kValid{17, 6, 2};

TEST(Vit, ClassRowsAreThoseOfAllTokensWithPadding) {
  const Model model = random_model("token");
  const AlignedBuffer<float> patches = noise(3 * model.config.patches() * model.config.patch_dim(), 1);
  expect_close(logits(model, {}, patches, kValid), logits(model, {.all_tokens = true}, patches, kValid), test::kFp32);
  EXPECT_NE(logits(model, {}, patches, kValid), logits(model, {}, patches, {17, 17, 17}));
}

TEST(Vit, PaddingIsNotRead) {
  for (const char* pooling : {"token", "avg"})
    for (const DType dtype : {DType::f32, DType::bf16}) {
      if (dtype == DType::bf16 && product_isa() < Isa::avx512_bf16) continue;
      const Model model = random_model(pooling);
      const int64_t patch = model.config.patch_dim(), image = model.config.patches() * patch;
      AlignedBuffer<float> patches = noise(3 * image, 1);
      const std::vector<float> before = logits(model, {.dtype = dtype}, patches, kValid);
      const AlignedBuffer<float> other = noise(3 * image, 2);
      for (int64_t b = 0; b < 3; ++b)
        for (int64_t i = (kValid[static_cast<std::size_t>(b)] - 1) * patch; i < image; ++i)
          patches[b * image + i] = other[b * image + i];
      expect_close(logits(model, {.dtype = dtype}, patches, kValid), before, test::kExact);
    }
}

/// A block of one image by a team with padding: what one worker computes.
TEST(Block, TeamWithPaddingComputesWhatOneWorkerDoes) {
  constexpr int64_t kTokens = 17, kWidth = 32, kSplit = 6;
  constexpr int32_t kValidTokens = 11;
  for (const bool class_row : {false, true}) {
    ParameterLayout layout;
    Registry registry(layout);
    Block block(registry, "b", {.width = kWidth, .class_row = class_row},
                test::plain_parts({.width = kWidth, .heads = 2, .mlp_width = 64}));
    const ParameterBlock weights = noise(layout.block_size(), 3);
    Packing packing;
    packing.values = block_source(layout, weights);
    block.pack(packing);

    Shard whole;
    whole.images = 1;
    whole.tokens = test::row_of(kTokens);
    whole.valid_tokens = &kValidTokens;
    std::vector<Shard> parts(2, whole);
    parts[0].own_tokens = kSplit;
    parts[1].first_token = kSplit, parts[1].own_tokens = kTokens - kSplit;

    Arena arena(1 << 20);
    const AlignedBuffer<float> input = noise(kTokens * kWidth, 4);
    const auto run = [&](const std::vector<Shard>& shards) {
      const TensorView<float> x = arena.take<float>({kTokens, kWidth});
      std::ranges::copy(input.span(), x.data());
      const Matrix qkv = block.plan_shared(arena, whole);
      std::vector<State> scratch;
      for (const Shard& s : shards) scratch.push_back(block.plan_scratch(arena, s, false));
      const TensorView<float> class_token = arena.take<float>({1, kWidth});
      const auto rows = [&](const Shard& s) { return x.slice(s.first_token, s.own()); };
      for (std::size_t i = 0; i < shards.size(); ++i) block.begin(rows(shards[i]), shards[i], qkv, scratch[i]);
      std::vector<float> out;
      for (std::size_t i = 0; i < shards.size(); ++i) {
        if (class_row && i > 0) continue;
        const TensorView<float> y = class_row ? class_token : rows(shards[i]);
        block.end(rows(shards[i]), shards[i], qkv, scratch[i], y);
        out.insert(out.end(), y.data(), y.data() + y.size());
      }
      return out;
    };
    const std::vector<float> alone = run({whole}), team = run(parts);
    EXPECT_EQ(alone.size(), static_cast<std::size_t>((class_row ? 1 : kTokens) * kWidth));
    expect_close(team, alone, product_isa() < Isa::avx512 ? test::kFp32 : test::kExact);
  }
}

}  // namespace
}  // namespace vit
