// Root mean square norms, in the blocks and of queries and keys.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, RmsNorm) {
  for (const bool qk_norm : {false, true}) {
    ModelConfig config = test::small_network();
    config.norm = "rmsnorm";
    config.qk_norm = qk_norm;
    test::expect_sound(config);
  }
}

}  // namespace
}  // namespace vit
