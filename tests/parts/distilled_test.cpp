// A distillation token with a head of its own.
#include <gtest/gtest.h>

#include "tests/support/caught_error.h"
#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, Distilled) {
  for (const bool prefix_position : {true, false}) {
    ModelConfig config = test::small_network();
    config.distilled = true;
    config.registers = prefix_position ? 0 : 1;
    config.prefix_position = prefix_position;
    EXPECT_EQ(config.tokens().prefix, prefix_position ? 2 : 3);
    test::expect_sound(config);
  }
}

TEST(Part, DistilledWithoutNorm) {
  ModelConfig config = test::small_network();
  config.distilled = true;
  config.final_norm = FinalNorm::none;
  EXPECT_EQ(parameter_layout(config).find("norm.weight"), nullptr);
  test::expect_sound(config);
}

TEST(Part, DistilledReadsTwoTokensAndNothingElse) {
  const auto fault = [](auto change) {
    ModelConfig config = test::small_network();
    config.distilled = true;
    change(config);
    return test::error_of(ErrorKind::usage, [&] { validate(config); });
  };
  EXPECT_TRUE(
      test::holds(fault([](ModelConfig& c) { c.pooling = "avg"; }), {"distilled: needs pooling token, has avg"}));
  EXPECT_TRUE(test::holds(fault([](ModelConfig& c) { c.class_token = false; }), {"needs class_token"}));
  EXPECT_TRUE(test::holds(fault([](ModelConfig& c) { c.final_norm = FinalNorm::after; }), {"final_norm"}));
}

}  // namespace
}  // namespace vit
