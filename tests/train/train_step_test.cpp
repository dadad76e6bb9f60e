#include "train/train_step.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/train/small_run.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

// Shards behind the one that fails wait at its gates; what they say on being turned away is not the reason.
TEST(TrainStep, ErrorOfAShardIsTheReasonWithAnyNumberOfThreads) {
  constexpr int64_t kImages = 32;
  ModelConfig config = test::small_config().model;
  config.classes = 3;
  const Model model = make_model(config, 1);
  const std::vector<float> patches(static_cast<std::size_t>(kImages * config.patches() * config.patch_dim()), 0.5f);
  std::vector<int32_t> labels(kImages, 1);
  labels[5] = 77;
  labels[9] = 99;
  for (const int threads : {1, 2, 4, 8}) {
    set_thread_count(threads);
    TrainStep step(config, kImages, {.micro_batch = 2});
    step.pack(model.weights);
    for (int round = 0; round < 50; ++round) {
      ParameterBlock gradients(model.weights.size());
      TrainStep::Batch batch;
      batch.patches = TensorView<const float>(patches.data(), {kImages, config.patches(), config.patch_dim()});
      batch.targets.labels = labels.data();
      const std::string error = test::error_of(ErrorKind::internal, [&] { step.run(batch, 1.0f, gradients); });
      ASSERT_NE(error.find("label of row 1: needs 0 to 2, has 77"), std::string::npos)
          << error << threads << " threads";
    }
  }
  set_thread_count(0);
}

// The bits of a run depend on how its batches are cut.
TEST(TrainStep, CutsABatchIntoEightShards) {
  constexpr int64_t kImages = 32;
  ModelConfig config = test::small_config().model;
  config.classes = 3;
  const Model model = make_model(config, 1);
  std::vector<float> patches(static_cast<std::size_t>(kImages * config.patches() * config.patch_dim()));
  RandomStream random(3, RandomPurpose::test);
  for (float& x : patches) x = random.normal();
  const std::vector<int32_t> labels(kImages, 1);
  const auto gradients_with = [&](int64_t images, int64_t micro_batch) {
    TrainStep step(config, images, {.micro_batch = micro_batch});
    step.pack(model.weights);
    ParameterBlock gradients(model.weights.size());
    TrainStep::Batch batch;
    batch.patches = TensorView<const float>(patches.data(), {images, config.patches(), config.patch_dim()});
    batch.targets.labels = labels.data();
    step.run(batch, 1.0f, gradients);
    return gradients;
  };
  EXPECT_TRUE(test::same_bits(gradients_with(32, 0), gradients_with(32, 4)));
  EXPECT_FALSE(test::same_bits(gradients_with(32, 0), gradients_with(32, 3)));
  EXPECT_FALSE(test::same_bits(gradients_with(32, 0), gradients_with(32, 5)));
  EXPECT_TRUE(test::same_bits(gradients_with(7, 0), gradients_with(7, 1)));
}

}  // namespace
}  // namespace vit
