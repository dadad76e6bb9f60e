#include "train/bench_training.h"

#include <gtest/gtest.h>

#include "vit/model/flops.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

/// Operations an image that the parts of a run stated for the shapes that they had in hand.
double profiled_flops(const BenchResult& result, int64_t batch) {
  double sum = 0;
  for (const ProfileEntry& entry : result.profile) sum += entry.flops;
  return sum / static_cast<double>(result.steps * batch);
}

ModelConfig small_model(const std::string& pooling) {
  ModelConfig config = model_preset("vit_micro_patch4_20");
  config.depth = 3;
  config.mlp_width = 3 * config.width;
  config.pooling = pooling;
  return config;
}

constexpr BenchOptions kProfiled{.profile = true, .seconds = 0, .warmup_steps = 1};

TEST(BenchedFlops, AreThoseThatTrainingRuns) {
  for (const char* pooling : {"token", "avg"}) {
    for (const Recompute recompute : {Recompute::none, Recompute::attention, Recompute::block}) {
      const ModelConfig config = small_model(pooling);
      const BenchResult result = bench_training(config, {.recompute = recompute}, 5, kProfiled);
      EXPECT_DOUBLE_EQ(result.gflop_per_image * 1e9, profiled_flops(result, 5)) << static_cast<int>(recompute);
      EXPECT_DOUBLE_EQ(result.gflop_per_image * 1e9, training_flops(config, recompute).total());
    }
  }
}

TEST(BenchedFlops, AreThoseThatInferenceRuns) {
  for (const char* pooling : {"token", "avg"}) {
    for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
      Model model = make_model(small_model(pooling), 0);
      const OpenModel open{.model = std::move(model), .weights = fresh_parameters(small_model(pooling), 0)};
      const BenchResult result = bench_inference(open, {.mode = mode}, 3, kProfiled);
      EXPECT_DOUBLE_EQ(result.gflop_per_image * 1e9, profiled_flops(result, 3)) << static_cast<int>(mode);
    }
  }
}

}  // namespace
}  // namespace vit
