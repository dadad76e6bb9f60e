// Attention pooling over the tokens.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, SequenceReadout) {
  for (const bool class_token : {false, true}) {
    ModelConfig config = test::small_network();
    config.pooling = "seq";
    config.class_token = class_token;
    test::expect_sound(config);
  }
}

}  // namespace
}  // namespace vit
