// Norms of the queries and keys of each head.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, QueryKeyNorm) {
  for (const char* pooling : {"token", "avg"}) {
    ModelConfig config = test::small_network();
    config.qk_norm = true;
    config.pooling = pooling;
    test::expect_sound(config);
  }
}

}  // namespace
}  // namespace vit
