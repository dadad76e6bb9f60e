#include "infer/attention_map.h"

#include <gtest/gtest.h>

#include "tests/support/tolerance.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// 2 x 2 patches and a class token.
ModelConfig two_layers(int64_t heads) {
  ModelConfig config;
  config.image_size = 4;
  config.patch_size = 2;
  config.width = 2 * heads;
  config.heads = heads;
  config.depth = 2;
  return config;
}

// Tokens: class, a, b, c, d. Rows are queries.
const std::vector<float> kFirst{0.2f, 0.4f, 0.2f, 0.1f, 0.1f,  //
                                0.0f, 0.5f, 0.5f, 0.0f, 0.0f,  //
                                0.0f, 0.0f, 1.0f, 0.0f, 0.0f,  //
                                0.2f, 0.2f, 0.2f, 0.2f, 0.2f,  //
                                1.0f, 0.0f, 0.0f, 0.0f, 0.0f};
const std::vector<float> kSecond{0.5f, 0.0f, 0.0f, 0.0f, 0.5f,  //
                                 0.0f, 1.0f, 0.0f, 0.0f, 0.0f,  //
                                 0.0f, 0.0f, 1.0f, 0.0f, 0.0f,  //
                                 0.0f, 0.0f, 0.0f, 1.0f, 0.0f,  //
                                 0.0f, 0.0f, 0.0f, 0.0f, 1.0f};

std::vector<float> joined(std::initializer_list<std::vector<float>> maps) {
  std::vector<float> all;
  for (const auto& map : maps) all.insert(all.end(), map.begin(), map.end());
  return all;
}

AttentionMap map_of(const std::vector<float>& maps, const ModelConfig& config, AttentionMethod method) {
  return attention_map(TensorView<const float>(maps.data(), {config.depth * config.heads, 25}), config, method);
}

TEST(AttentionMap, LastLayerIsTheClassTokensRow) {
  const ModelConfig config = two_layers(1);
  const AttentionMap map = map_of(joined({kFirst, kSecond}), config, AttentionMethod::last_layer);
  EXPECT_EQ(map.grid, 2);
  // Row [.5 | 0 0 0 .5] without the class token, scaled to sum 1.
  test::expect_close(map.shares, std::vector<float>{0, 0, 0, 1}, test::kFp32Elementwise);
}

TEST(AttentionMap, RolloutMultipliesTheLayers) {
  const ModelConfig config = two_layers(1);
  const AttentionMap map = map_of(joined({kFirst, kSecond}), config, AttentionMethod::rollout);
  // By hand, with A' = (A + I) / 2. Class row of A2': [.75, 0, 0, 0, .25].
  // Times A1': .75 * [.6, .2, .1, .05, .05] + .25 * [.5, 0, 0, 0, .5] = [.575, .15, .075, .0375, .1625].
  const std::vector<float> want{0.15f / 0.425f, 0.075f / 0.425f, 0.0375f / 0.425f, 0.1625f / 0.425f};
  test::expect_close(map.shares, want, test::kFp32Elementwise);
}

TEST(AttentionMap, HeadsAreAveraged) {
  const ModelConfig config = two_layers(2);
  const AttentionMap map = map_of(joined({kFirst, kFirst, kFirst, kSecond}), config, AttentionMethod::last_layer);
  // Mean of [.4 .2 .1 .1] and [0 0 0 .5], scaled to sum 1.
  const std::vector<float> want{0.2f / 0.65f, 0.1f / 0.65f, 0.05f / 0.65f, 0.3f / 0.65f};
  test::expect_close(map.shares, want, test::kFp32Elementwise);
}

TEST(AttentionMap, MeanPoolingAveragesThePatchQueries) {
  ModelConfig config = two_layers(1);
  config.pooling = "avg";
  const AttentionMap map = map_of(joined({kSecond, kFirst}), config, AttentionMethod::last_layer);
  // Column sums of rows a..d of kFirst: a .7, b 1.7, c .2, d .2 (the class column is left out).
  const std::vector<float> want{0.7f / 2.8f, 1.7f / 2.8f, 0.2f / 2.8f, 0.2f / 2.8f};
  test::expect_close(map.shares, want, test::kFp32Elementwise);
}

TEST(AttentionMap, RefusesAnotherShape) {
  const ModelConfig config = two_layers(1);
  const std::vector<float> maps = joined({kFirst});
  EXPECT_THROW(attention_map(TensorView<const float>(maps.data(), {1, 25}), config, AttentionMethod::rollout), Error);
}

}  // namespace
}  // namespace vit
