#include "train/ema.h"

#include <gtest/gtest.h>

namespace vit {
namespace {

TEST(Ema, DecayGrowsToItsLimit) {
  EXPECT_FLOAT_EQ(ema_decay_at(0.99f, 0), 0.1f);
  EXPECT_FLOAT_EQ(ema_decay_at(0.99f, 8), 0.5f);
  EXPECT_FLOAT_EQ(ema_decay_at(0.99f, 1'000'000), 0.99f);
}

TEST(Ema, AverageMovesByTheShareThatIsLeft) {
  ParameterBlock weights(200'003);  // several pieces
  ParameterBlock average(200'003);
  for (int64_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(i % 64);
    average[i] = 8;
  }
  update_average(0.75f, weights, average);
  for (int64_t i = 0; i < weights.size(); ++i) ASSERT_EQ(average[i], 6 + 0.25f * static_cast<float>(i % 64)) << i;
}

}  // namespace
}  // namespace vit
