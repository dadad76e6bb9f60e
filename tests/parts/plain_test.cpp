// The parts that the first models have.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, Plain) {
  for (const char* pooling : {"token", "avg"}) {
    ModelConfig config = test::small_network();
    config.pooling = pooling;
    config.layer_scale = true;
    config.layer_scale_init = 0.5f;
    test::expect_sound(config);
  }
}

}  // namespace
}  // namespace vit
