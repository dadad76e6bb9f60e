// Rotary positions in their three layouts.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, Rope) {
  for (const RopeLayout layout : {RopeLayout::axial, RopeLayout::dinov3, RopeLayout::mixed})
    for (const char* pooling : {"token", "avg"}) {
      SCOPED_TRACE(testing::Message() << word_of(layout) << ' ' << pooling);
      ModelConfig config = test::small_network();
      config.rope = layout;
      config.rope_theta = 10;
      config.position = "none";
      config.pooling = pooling;
      test::expect_sound(config);
    }
}

TEST(Part, RopeAndQueryKeyNorm) {
  ModelConfig config = test::small_network();
  config.rope = RopeLayout::mixed;
  config.qk_norm = true;
  test::expect_sound(config);
}

}  // namespace
}  // namespace vit
