// A bias of the scores by the step between two places.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, RelativeBias) {
  for (const char* pooling : {"token", "avg"})
    for (const bool class_token : {true, false}) {
      if (!class_token && pooling == std::string("token")) continue;
      ModelConfig config = test::small_network();
      config.relative_bias = true;
      config.pooling = pooling;
      config.class_token = class_token;
      test::expect_sound(config);
    }
}

}  // namespace
}  // namespace vit
