// Rotary positions in their three layouts.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, Rope) {
  for (const char* layout : {"axial", "dinov3", "mixed"})
    for (const char* pooling : {"token", "avg"}) {
      SCOPED_TRACE(testing::Message() << layout << ' ' << pooling);
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
  config.rope = "mixed";
  config.qk_norm = true;
  test::expect_sound(config);
}

}  // namespace
}  // namespace vit
