// Signal handlers of the program that links the library do not disturb what it computes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "tests/support/run_again.h"
#include "tests/support/signal_storm.h"
#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"
#include "train/trainer.h"
#include "vit/core/cpu.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

using test::SignalStorm;

/// Products large enough that much of the time is spent inside them.
TrainConfig wide_config() {
  TrainConfig config = test::small_config();
  config.model.width = 192;
  config.model.mlp_width = 768;
  config.model.image_size = config.preprocess.size = config.preprocess.resize_size = 32;
  config.batch = 16;
  config.epochs = 2;
  return config;
}

/// Of AVX2 and AVX-512 the product library has code of its own.
class Storm : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(0); }
};
INSTANTIATE_TEST_SUITE_P(Threads, Storm, testing::Values(1, 2));

TEST_P(Storm, LeavesTheBitsOfTraining) {
  const test::TempDir folder;
  const test::MemoryDataset data(32, 3, 96, 12);
  train(wide_config(), data, folder / "quiet");
  {
    const SignalStorm storm;
    train(wide_config(), data, folder / "storm");
    EXPECT_GT(SignalStorm::handled(), 100);
  }
  test::expect_same_state(test::last_state(folder / "storm"), test::last_state(folder / "quiet"));
}

std::vector<float> logits_of(Engine& engine, int64_t images) {
  const ModelConfig& c = engine.config();
  std::vector<float> patches(static_cast<std::size_t>(images * c.patches() * c.patch_dim()));
  for (std::size_t i = 0; i < patches.size(); ++i) patches[i] = static_cast<float>(i * 7919 % 101) / 50 - 1;
  std::vector<float> logits(static_cast<std::size_t>(images * c.classes));
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(logits.data(), {images, c.classes});
  engine.run(TensorView<const float>(patches.data(), {images, c.patches(), c.patch_dim()}), outputs);
  return logits;
}

TEST_P(Storm, LeavesTheBitsOfInference) {
  ModelConfig config = wide_config().model;
  config.classes = 3;
  const Model model = make_model(config, 1);
  for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
    Engine engine(model, {.mode = mode});
    const std::vector<float> quiet = logits_of(engine, 16);
    const SignalStorm storm;
    for (int i = 0; SignalStorm::handled() < 500; ++i) ASSERT_EQ(logits_of(engine, 16), quiet) << "run " << i;
  }
}

TEST(StormIsa, LeavesTheBitsOfAvx2) {
  if (std::getenv(test::kChildVariable) != nullptr) GTEST_SKIP() << "run by the parent only";
  if (detected_isa() < Isa::avx2) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(test::run_again("avx2", "*Storm.*"), 0);
}

}  // namespace
}  // namespace vit
