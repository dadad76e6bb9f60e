// Registers: learned tokens that no readout reads.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, Registers) {
  for (const char* pooling : {"token", "avg"})
    for (const bool prefix_position : {true, false}) {
      ModelConfig config = test::small_network();
      config.registers = 2;
      config.pooling = pooling;
      config.prefix_position = prefix_position;
      EXPECT_EQ(config.tokens(), (Tokens{.prefix = 3, .rows = 3, .cols = 3}));
      test::expect_sound(config);
    }
}

}  // namespace
}  // namespace vit
