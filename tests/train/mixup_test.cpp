#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"
#include "train/mixes/batch_mix.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

constexpr int64_t kRow = 3;

TrainConfig config_of(float alpha, uint64_t seed) {
  TrainConfig config;
  config.mixup = alpha;
  config.seed = seed;
  return config;
}

Batch five_images() {
  Batch batch;
  batch.size = 5;
  batch.patches = AlignedBuffer<float>(5 * kRow);
  for (int64_t i = 0; i < 5 * kRow; ++i) batch.patches[i] = static_cast<float>(i * i);
  batch.labels = {4, 7, 1, 1, 9};
  return batch;
}

TEST(Mixup, OffIsTheBatchAsItIs) {
  Batch batch = five_images();
  BatchMix mix(config_of(0, 5));
  const Targets targets = mix.apply(batch, kRow, 0, 0);
  EXPECT_EQ(targets.labels, batch.labels.data());
  EXPECT_EQ(targets.second, nullptr);
  EXPECT_EQ(batch.patches[7], 49.0f);
}

TEST(Mixup, NeighboursAndTheirLabelsAreMixed) {
  const Batch before = five_images();
  Batch batch = five_images();
  BatchMix mix(config_of(0.8f, 5));
  const Targets targets = mix.apply(batch, kRow, 2, 3);
  const float share = targets.share[0];
  EXPECT_TRUE(share > 0 && share < 1) << share;
  const int64_t other[] = {1, 0, 3, 2, 4};
  for (int64_t image = 0; image < 5; ++image) {
    EXPECT_EQ(targets.labels[image], before.labels[static_cast<std::size_t>(image)]);
    EXPECT_EQ(targets.second[image], before.labels[static_cast<std::size_t>(other[image])]);
    EXPECT_EQ(targets.share[image], image == 4 ? 1.0f : share);
    for (int64_t i = 0; i < kRow; ++i) {
      const float mine = before.patches[image * kRow + i], theirs = before.patches[other[image] * kRow + i];
      EXPECT_FLOAT_EQ(batch.patches[image * kRow + i], image == 4 ? mine : share * mine + (1 - share) * theirs);
    }
  }
}

float share_of(float alpha, uint64_t seed, int64_t epoch, int64_t number) {
  Batch batch = five_images();
  return BatchMix(config_of(alpha, seed)).apply(batch, kRow, epoch, number).share[0];
}

TEST(Mixup, TheShareIsKeyedBySeedEpochAndBatch) {
  const float share = share_of(1, 1, 1, 1);
  EXPECT_EQ(share_of(1, 1, 1, 1), share);
  EXPECT_NE(share_of(1, 2, 1, 1), share);
  EXPECT_NE(share_of(1, 1, 2, 1), share);
  EXPECT_NE(share_of(1, 1, 1, 2), share);
}

// Beta(a, a) has mean 1/2, variance 1 / (4 (2a + 1)) and kurtosis 3 - 6 / (2a + 3).
TEST(Mixup, SharesHaveTheMomentsOfBeta) {
  constexpr int kDraws = 20000;
  for (const double alpha : {0.1, 0.4, 1.0, 3.0}) {
    double sum = 0, square = 0, fourth = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = static_cast<double>(share_of(static_cast<float>(alpha), 3, 0, i)) - 0.5;
      sum += x;
      square += x * x;
      fourth += x * x * x * x;
    }
    const double variance = square / kDraws;
    EXPECT_NEAR(sum / kDraws, 0, 0.015) << alpha;
    EXPECT_NEAR(variance, 1 / (4 * (2 * alpha + 1)), 0.02 / (4 * (2 * alpha + 1))) << alpha;
    EXPECT_NEAR(fourth / kDraws / (variance * variance), 3 - 6 / (2 * alpha + 3), 0.1) << alpha;
  }
}

TEST(Mixup, ARunHasTheSameBitsForAnyNumberOfThreads) {
  TrainConfig config = test::small_config();
  config.mixup = 0.4f;
  config.epochs = 2;
  const test::TempDir dir;
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    train(config, test::small_data(), dir / std::to_string(threads));
  }
  set_thread_count(0);
  test::expect_same_state(test::last_state(dir / "1"), test::last_state(dir / "3"));
  config.mixup = 0;
  train(config, test::small_data(), dir / "off");
  EXPECT_FALSE(test::same_bits(test::last_state(dir / "1").model.weights, test::last_state(dir / "off").model.weights));
}

}  // namespace
}  // namespace vit
