// Gated feed-forward.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, SwiGlu) {
  ModelConfig config = test::small_network();
  config.mlp = "swiglu";
  test::expect_sound(config);
}

}  // namespace
}  // namespace vit
