#include "train/schedule.h"

#include <gtest/gtest.h>

namespace vit {
namespace {

TrainConfig config_of(ScheduleKind kind) {
  TrainConfig c;
  c.schedule = kind;
  c.lr = 0.8f;
  c.min_lr = 0;
  c.epochs = 3;
  c.warmup_epochs = 1;
  return c;
}

TEST(Schedule, WarmsUpFromTheFirstStepAndReachesTheFullRate) {
  const Schedule schedule(config_of(ScheduleKind::cosine), 4);
  EXPECT_EQ(schedule.warmup(), 4);
  EXPECT_EQ(schedule.total(), 12);
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.2f);
  EXPECT_FLOAT_EQ(schedule.rate(1), 0.4f);
  EXPECT_FLOAT_EQ(schedule.rate(3), 0.8f);
}

TEST(Schedule, CosineIsHalfWayDownInTheMiddle) {
  const Schedule schedule(config_of(ScheduleKind::cosine), 4);
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(6), 0.4f * (1 + 0.70710678f));  // a quarter: cos 45 degrees
  EXPECT_FLOAT_EQ(schedule.rate(8), 0.4f);
  EXPECT_FLOAT_EQ(schedule.rate(10), 0.4f * (1 - 0.70710678f));
  EXPECT_NEAR(schedule.rate(12), 0.0f, 1e-9f);
  EXPECT_NEAR(schedule.rate(99), 0.0f, 1e-9f);
}

TEST(Schedule, CosineEndsAtTheLowestRate) {
  TrainConfig config = config_of(ScheduleKind::cosine);
  config.min_lr = 0.2f;
  const Schedule schedule(config, 4);
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(8), 0.5f);
  EXPECT_FLOAT_EQ(schedule.rate(12), 0.2f);
}

TEST(Schedule, LinearFallsByEqualSteps) {
  const Schedule schedule(config_of(ScheduleKind::linear), 4);
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(5), 0.7f);
  EXPECT_FLOAT_EQ(schedule.rate(11), 0.1f);
}

TEST(Schedule, ConstantStaysAfterWarmUp) {
  const Schedule schedule(config_of(ScheduleKind::constant), 4);
  EXPECT_FLOAT_EQ(schedule.rate(1), 0.4f);
  for (int64_t step : {4, 7, 11}) EXPECT_EQ(schedule.rate(step), 0.8f);
}

TEST(Schedule, NoWarmUpBeginsAtTheFullRate) {
  TrainConfig config = config_of(ScheduleKind::cosine);
  config.warmup_epochs = 0;
  EXPECT_FLOAT_EQ(Schedule(config, 4).rate(0), 0.8f);
}

TEST(Schedule, WarmUpOfAFractionOfAnEpochIsRounded) {
  TrainConfig config = config_of(ScheduleKind::cosine);
  config.warmup_epochs = 0.6f;
  EXPECT_EQ(Schedule(config, 4).warmup(), 2);
}

}  // namespace
}  // namespace vit
