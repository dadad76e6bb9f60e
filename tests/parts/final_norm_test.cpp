// Where the last norm stands.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/part_check.h"

namespace vit {
namespace {

std::string norm_name(const ModelConfig& config) {
  const ParameterLayout layout = parameter_layout(config);
  std::string names;
  for (const char* name : {"norm", "fc_norm"})
    if (layout.find(std::string(name) + ".weight") != nullptr) names += name;
  return names;
}

TEST(Part, FinalNorm) {
  for (const char* pooling : {"token", "avg", "seq"})
    for (const FinalNorm place : {FinalNorm::before, FinalNorm::after, FinalNorm::none}) {
      SCOPED_TRACE(testing::Message() << pooling << ' ' << word_of(place));
      ModelConfig config = test::small_network();
      config.pooling = pooling;
      config.final_norm = place;
      test::expect_sound(config);
    }
}

TEST(Part, FinalNormIsNamedByItsPlace) {
  ModelConfig config = test::small_network();
  for (const char* pooling : {"token", "avg", "seq"}) {
    config.pooling = pooling;
    config.final_norm = FinalNorm::by_pooling;
    EXPECT_EQ(norm_name(config), pooling == std::string("avg") ? "fc_norm" : "norm");
    config.final_norm = FinalNorm::before;
    EXPECT_EQ(norm_name(config), "norm");
    config.final_norm = FinalNorm::after;
    EXPECT_EQ(norm_name(config), "fc_norm");
    config.final_norm = FinalNorm::none;
    EXPECT_EQ(norm_name(config), "");
  }
}

}  // namespace
}  // namespace vit
