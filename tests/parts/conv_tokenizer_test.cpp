// Convolutions before the tokens.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, ConvTokenizer) {
  for (const int64_t layers : {1, 2})
    for (const char* pooling : {"token", "avg"}) {
      ModelConfig config = test::small_network();
      config.tokenizer = "conv";
      config.conv_layers = layers;
      config.conv_width = 6;
      config.pooling = pooling;
      EXPECT_EQ(config.patch_dim(), 3);
      EXPECT_EQ(config.tokens().rows, layers == 1 ? 6 : 3);
      test::expect_sound(config);
    }
}

}  // namespace
}  // namespace vit
