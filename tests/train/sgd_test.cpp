#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>

#include "tests/support/temp_dir.h"
#include "tests/train/sgd_golden.h"
#include "tests/train/small_run.h"
#include "train/optimizer.h"

namespace vit {
namespace {

/// As in make_sgd_golden.py.
float golden_gradient(int step, int index) { return static_cast<float>(std::sin(1.1 * step + 0.6 * index)); }

TEST(Sgd, FollowsTorch) {
  ParameterLayout layout;
  layout.add("weight", {5}, {.decay = true});
  layout.add("bias", {3}, {});
  for (const test::SgdCase& expected : test::kSgdCases) {
    TrainConfig config;
    config.optimizer = "sgd";
    config.weight_decay = 0.05f;
    config.momentum = expected.momentum;
    config.nesterov = expected.nesterov;
    config.clip_norm = 0;
    const Optimizer optimizer(layout, config);
    ParameterBlock weights(layout.block_size()), gradients(layout.block_size());
    const float start[] = {0.5f, -1.25f, 2.0f, 0.0f, 0.03125f, 1.0f, -0.5f, 0.25f};
    const auto number = [&layout](ParameterBlock& block, int i) -> float& {
      return i < 5 ? at(block, layout[0])[i] : at(block, layout[1])[i - 5];
    };
    for (int i = 0; i < 8; ++i) number(weights, i) = start[i];
    OptimizerState state = optimizer.make_state();
    EXPECT_EQ(state.blocks.size(), expected.momentum > 0 ? 1u : 0u);
    for (int step = 0; step < test::kSgdSteps; ++step) {
      for (int i = 0; i < 8; ++i) number(gradients, i) = golden_gradient(step, i);
      optimizer.step(0.1f, 1, gradients, weights, state);
    }
    for (int i = 0; i < 8; ++i)
      EXPECT_NEAR(number(weights, i), expected.weights[i], 1e-6f)
          << i << " momentum " << expected.momentum << " nesterov " << expected.nesterov;
  }
}

TEST(Sgd, NesterovNeedsMomentum) {
  TrainConfig config = test::small_config();
  config.optimizer = "sgd";
  config.momentum = 0;
  EXPECT_NO_THROW(validate(config));
  config.nesterov = true;
  const std::string text = test::error_of(ErrorKind::usage, [&] { validate(config); });
  EXPECT_NE(text.find("nesterov: needs a momentum above 0"), std::string::npos) << text;
}

TEST(Sgd, ARunThatWasStoppedGoesOnToTheSameBits) {
  TrainConfig config = test::small_config();
  config.optimizer = "sgd";
  config.lr = 0.05f;
  config.weight_decay = 1e-4f;
  const test::TempDir dir;
  train(config, test::small_data(), dir / "whole");
  std::atomic<bool> stop = false;
  TrainOptions options;
  options.stop = &stop;
  int steps = 0;
  options.on_step = [&](const StepProgress&) { stop = ++steps == 8; };
  EXPECT_TRUE(train(config, test::small_data(), dir / "cut", options).stopped);
  options.stop = nullptr;
  options.resume = true;
  train(config, test::small_data(), dir / "cut", options);
  test::expect_same_state(test::last_state(dir / "whole"), test::last_state(dir / "cut"));
}

}  // namespace
}  // namespace vit
