#include "vit/model/flops.h"

#include <gtest/gtest.h>

#include "tests/model/small_config.h"

namespace vit {
namespace {

// All by hand for N = 65, D = 192, L = 9, P = 4, C = 10, mlp width 4 D.
constexpr double kN = 65, kD = 192, kEmbedding = 2 * 64 * 48 * kD, kHead = 2 * kD * 10;
constexpr double kBlock = 2 * (12 * kN * kD * kD), kAttention = 4 * kN * kN * kD;
constexpr double kLastBlock = 2 * (2 * kN * kD * kD + 10 * kD * kD), kLastAttention = 4 * kN * kD;

TEST(Flops, OfAForwardPassThatLeavesWithTheClassToken) {
  const Flops flops = forward_flops(model_preset("vit_tiny9_patch4_32"));
  EXPECT_DOUBLE_EQ(flops.embedding, kEmbedding);
  EXPECT_DOUBLE_EQ(flops.linear, 8 * kBlock + kLastBlock);
  EXPECT_DOUBLE_EQ(flops.attention, 8 * kAttention + kLastAttention);
  EXPECT_DOUBLE_EQ(flops.head, kHead);
  EXPECT_DOUBLE_EQ(flops.total(), flops.embedding + flops.linear + flops.attention + flops.head);
}

TEST(Flops, OfAllTokens) {
  ModelConfig config = model_preset("vit_tiny9_patch4_32");
  const double all = kEmbedding + 9 * (kBlock + kAttention) + kHead;
  EXPECT_DOUBLE_EQ(forward_flops(config, LastBlock::all_tokens).total(), all);
  config.pooling = "avg";
  EXPECT_DOUBLE_EQ(forward_flops(config).total(), all);
  // 1.26 G multiply-adds, as timm's table of models has them for it (without attention: 1.08 G).
  EXPECT_NEAR(forward_flops(model_preset("vit_tiny_patch16_224"), LastBlock::all_tokens).total() / 2e9, 1.26, 0.01);
}

TEST(Flops, OfATrainingStep) {
  const ModelConfig config = model_preset("vit_tiny9_patch4_32");
  const double linear = 3 * (8 * kBlock + kLastBlock), attention = 3.5 * (8 * kAttention + kLastAttention);
  const double none = 2 * kEmbedding + linear + attention + 3 * kHead;
  EXPECT_DOUBLE_EQ(training_flops(config).total(), none);
  EXPECT_DOUBLE_EQ(training_flops(config, Recompute::attention).total(), none + 8 * (6 * kN * kD * kD + kAttention));
  EXPECT_DOUBLE_EQ(training_flops(config, Recompute::block).total(), none + 8 * (kBlock + kAttention));
}

TEST(Flops, OfOneBlockAndNoHead) {
  ModelConfig config = model_preset("vit_tiny9_patch4_32");
  config.depth = 1;
  config.classes = 0;
  EXPECT_DOUBLE_EQ(forward_flops(config).total(), kEmbedding + kLastBlock + kLastAttention);
}

// By hand: 8 x 8 pixels, convolutions on 64 and then 16 places, 4 tokens; D = 16, F = 24, 3 classes.
TEST(Flops, OfOtherParts) {
  ModelConfig config = test::small_config();
  config.width = 16;
  config.depth = 1;
  config.mlp_width = 24;
  config.class_token = false;
  config.pooling = "seq";
  config.mlp = "swiglu";
  config.tokenizer = "conv";
  config.conv_layers = 2;
  config.conv_kernel = 3;
  config.conv_width = 6;
  const Flops flops = forward_flops(config);
  EXPECT_DOUBLE_EQ(flops.embedding, 2 * (64 * (3 * 9) * 6 + 16 * (6 * 9) * 16));
  EXPECT_DOUBLE_EQ(flops.linear, 2 * 4 * (4 * 16 * 16 + 3 * 16 * 24));
  EXPECT_DOUBLE_EQ(flops.head, 2 * (4 * 16 + 16 * 3));
}

}  // namespace
}  // namespace vit
