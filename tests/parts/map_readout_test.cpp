// Attention pooling by one learned query.
#include <gtest/gtest.h>

#include "tests/support/caught_error.h"
#include "tests/support/part_check.h"

namespace vit {
namespace {

ModelConfig map_network() {
  ModelConfig config = test::small_network();
  config.pooling = "map";
  config.class_token = false;
  return config;
}

TEST(Part, MapReadout) {
  test::expect_sound(map_network());
  ModelConfig of_clip = map_network();
  of_clip.class_token = true;
  of_clip.registers = 1;
  of_clip.pool_prefix = true;
  of_clip.pool_heads = 4;
  of_clip.pool_mlp_width = 20;
  test::expect_sound(of_clip);
}

TEST(Part, MapReadoutLeavesThePrefixAside) {
  ModelConfig config = map_network();
  config.class_token = true;
  config.final_norm = FinalNorm::none;
  config.norm = "rmsnorm";
  EXPECT_EQ(parameter_layout(config).find("norm.weight"), nullptr);
  test::expect_sound(config);
}

TEST(Part, MapReadoutIsNotQuantised) {
  const ParameterLayout layout = parameter_layout(map_network());
  for (const std::string& name : quantizable_weights(layout)) EXPECT_EQ(name.find("attn_pool"), std::string::npos);
  EXPECT_FALSE(quantizable_weights(layout).empty());
}

TEST(Part, MapReadoutNamesWhatDoesNotFit) {
  ModelConfig config = map_network();
  config.pool_heads = 3;
  config.final_norm = FinalNorm::after;
  const std::string text = test::error_of(ErrorKind::usage, [&] { validate(config); });
  EXPECT_TRUE(test::holds(text, {"width 16 is not a multiple of pool_heads 3"}));
  EXPECT_TRUE(test::holds(text, {"final_norm: pooling map"}));
}

}  // namespace
}  // namespace vit
