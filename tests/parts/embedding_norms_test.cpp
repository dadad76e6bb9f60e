// The patch projection without a bias, and norms of patches and of all tokens in front of the blocks.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, PatchesWithoutBias) {
  ModelConfig config = test::small_network();
  config.patch_bias = false;
  EXPECT_EQ(parameter_layout(config).find("patch_embed.proj.bias"), nullptr);
  test::expect_sound(config);
}

TEST(Part, EmbeddingNorms) {
  for (const char* norm : {"layernorm", "rmsnorm"})
    for (const bool patch_norm : {true, false})
      for (const bool pre_norm : {true, false}) {
        if (!patch_norm && !pre_norm) continue;
        SCOPED_TRACE(testing::Message() << norm << " patch_norm " << patch_norm << " pre_norm " << pre_norm);
        ModelConfig config = test::small_network();
        config.norm = norm;
        config.patch_norm = patch_norm;
        config.pre_norm = pre_norm;
        test::expect_sound(config);
      }
}

// A tokenizer whose tokens no workers share, and no token in front of the grid.
TEST(Part, PreNormBehindConvolutions) {
  ModelConfig config = test::small_network();
  config.tokenizer = "conv";
  config.conv_width = 6;
  config.class_token = false;
  config.pooling = "avg";
  config.pre_norm = true;
  test::expect_sound(config);
}

}  // namespace
}  // namespace vit
