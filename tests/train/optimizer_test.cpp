#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "tests/train/optimizer_golden.h"
#include "vit/core/error.h"
#include "vit/core/options.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

/// As in make_optimizer_golden.py.
float golden_gradient(int step, int index) {
  return static_cast<float>(std::sin(1.3 * step + 0.7 * index) * (step % 2 == 1 ? 2.5 : 0.2));
}

ParameterLayout small_layout() {
  ParameterLayout layout;
  layout.add("weight", {5}, {.decay = true});
  layout.add("bias", {3}, {});
  return layout;
}

TrainConfig config_of(float weight_decay, float clip_norm) {
  TrainConfig config;
  config.weight_decay = weight_decay;
  config.clip_norm = clip_norm;
  return config;
}

TEST(Optimizer, FollowsTorch) {
  const ParameterLayout layout = small_layout();
  const Optimizer optimizer(
      layout, {.weight_decay = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .adam_eps = 1e-6f, .clip_norm = 1.5f});
  ParameterBlock weights(layout.block_size());
  ParameterBlock gradients(layout.block_size());
  float* weight = at(weights, layout[0]);
  float* bias = at(weights, layout[1]);
  const float weight_start[] = {0.5f, -1.25f, 2.0f, 0.0f, 0.03125f};
  const float bias_start[] = {1.0f, -0.5f, 0.25f};
  std::copy_n(weight_start, 5, weight);
  std::copy_n(bias_start, 3, bias);
  OptimizerState state = optimizer.make_state();
  for (int step = 0; step < test::kGoldenSteps; ++step) {
    for (int i = 0; i < 5; ++i) at(gradients, layout[0])[i] = golden_gradient(step, i);
    for (int i = 0; i < 3; ++i) at(gradients, layout[1])[i] = golden_gradient(step, 5 + i);
    const OptimizerReport report = optimizer.step(0.02f, 1, gradients, weights, state);
    EXPECT_TRUE(report.applied);
    EXPECT_NEAR(report.norm, static_cast<double>(test::kGoldenNorms[step]), 1e-5);
  }
  EXPECT_EQ(state.updates, test::kGoldenSteps);
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(weight[i], test::kGoldenWeight[i], 2e-6f) << "weight " << i;
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(bias[i], test::kGoldenBias[i], 2e-6f) << "bias " << i;
}

/// A block of several pieces, with a size that no power of two divides.
struct LargeCase {
  ParameterLayout layout;
  ParameterBlock weights;
  ParameterBlock gradients;

  LargeCase() {
    layout.add("a", {123, 457}, {.decay = true});
    layout.add("b", {1}, {});
    layout.add("c", {40001}, {});
    weights = ParameterBlock(layout.block_size());
    gradients = ParameterBlock(layout.block_size());
    RandomStream random(5, RandomPurpose::test);
    for (const Parameter& p : layout.all()) {
      for (int64_t i = 0; i < p.count; ++i) {
        at(weights, p)[i] = random.normal();
        at(gradients, p)[i] = random.normal();
      }
    }
  }
};

TEST(Optimizer, FirstStepOfALargeBlockIsThatOfTheFormula) {
  LargeCase c;
  ParameterBlock before(c.layout.block_size());
  std::copy_n(c.weights.data(), c.weights.size(), before.data());
  const Optimizer optimizer(c.layout, config_of(0.5f, 0));
  OptimizerState state = optimizer.make_state();
  optimizer.step(0.01f, 2, c.gradients, c.weights, state);
  for (const Parameter& p : c.layout.all()) {
    for (int64_t i = 0; i < p.count; ++i) {
      const double g = 2 * static_cast<double>(at(c.gradients, p)[i]);
      const double start = static_cast<double>(at(before, p)[i]) * (p.role.decay ? 1 - 0.01 * 0.5 : 1);
      const double expected = start - 0.01 * g / (std::abs(g) + 1e-8);  // m and v are unbiased in the first step
      ASSERT_NEAR(static_cast<double>(at(c.weights, p)[i]), expected, 2e-6) << p.name << ' ' << i;
    }
  }
}

TEST(Optimizer, NormIsThatOfAllParameters) {
  LargeCase c;
  double sum = 0;
  for (const Parameter& p : c.layout.all()) {
    for (int64_t i = 0; i < p.count; ++i) {
      const auto g = static_cast<double>(at(c.gradients, p)[i]);
      sum += g * g;
    }
  }
  EXPECT_NEAR(global_norm(c.gradients), std::sqrt(sum), 1e-9 * std::sqrt(sum));
}

TEST(Optimizer, BitsDoNotDependOnThreads) {
  LargeCase one;
  LargeCase two;
  const Optimizer optimizer(one.layout, config_of(0.1f, 1));
  const auto three_steps = [&optimizer](LargeCase& c, int threads) {
    set_thread_count(threads);
    OptimizerState state = optimizer.make_state();
    for (int i = 0; i < 3; ++i) optimizer.step(0.01f, 1, c.gradients, c.weights, state);
  };
  three_steps(one, 1);
  three_steps(two, 3);
  set_thread_count(0);
  EXPECT_EQ(std::memcmp(one.weights.data(), two.weights.data(), static_cast<std::size_t>(one.weights.size()) * 4), 0);
}

TEST(Optimizer, SkipsAStepWithAnInfiniteOrUndefinedGradient) {
  for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    LargeCase c;
    const LargeCase before;
    at(c.gradients, c.layout[2])[40000] = bad;
    const Optimizer optimizer(c.layout, config_of(0.1f, 1));
    OptimizerState state = optimizer.make_state();
    const OptimizerReport report = optimizer.step(0.01f, 1, c.gradients, c.weights, state);
    EXPECT_FALSE(report.applied);
    EXPECT_EQ(state.updates, 0);
    EXPECT_EQ(std::memcmp(c.weights.data(), before.weights.data(), static_cast<std::size_t>(c.weights.size()) * 4), 0);
    for (const char* name : {"m", "v"})
      for (const float x : state.block(name).span()) ASSERT_EQ(x, 0.0f) << name;
  }
}

TEST(Optimizer, StateIsNamed) {
  const LargeCase c;
  const Optimizer optimizer(c.layout, config_of(0, 0));
  OptimizerState state = optimizer.make_state();
  ASSERT_EQ(state.blocks.size(), 2u);
  EXPECT_EQ(state.blocks[0].name, "m");
  EXPECT_EQ(state.block("v").size(), c.layout.block_size());
  EXPECT_THROW(state.block("momentum"), Error);
  ParameterBlock weights(c.layout.block_size());
  state.blocks.pop_back();
  EXPECT_THROW(optimizer.step(1, 1, c.gradients, weights, state), Error);
}

TEST(Optimizer, ParametersThatAreNotTrainableStayAndDoNotCount) {
  ParameterLayout layout;
  layout.add("base", {3}, {.decay = true, .trainable = false});
  layout.add("added", {2}, {});
  ParameterBlock weights(layout.block_size()), gradients(layout.block_size());
  std::fill_n(at(weights, layout[0]), 3, 1.0f);
  std::fill_n(at(gradients, layout[0]), 3, 100.0f);
  at(gradients, layout[1])[0] = 3;
  at(gradients, layout[1])[1] = -4;
  const Optimizer optimizer(layout, config_of(0.1f, 0));
  OptimizerState state = optimizer.make_state();
  EXPECT_DOUBLE_EQ(optimizer.step(0.5f, 1, gradients, weights, state).norm, 5);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(at(weights, layout[0])[i], 1.0f);
  EXPECT_NEAR(at(weights, layout[1])[0], -0.5f, 1e-6f);
  EXPECT_NEAR(at(weights, layout[1])[1], 0.5f, 1e-6f);
}

TEST(Optimizer, UnknownRuleListsTheKnown) {
  const LargeCase c;
  TrainConfig config;
  config.optimizer = "adam";
  try {
    Optimizer(c.layout, config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("adamw"), std::string::npos) << error.what();
  }
}

TEST(Optimizer, TheTableNamesFieldsOfTheConfig) {
  for (const UpdateRuleEntry& rule : update_rules())
    for (const std::string_view name : rule.options) {
      const auto known = option_names(train_options());
      EXPECT_TRUE(name.empty() || std::ranges::find(known, name) != known.end()) << rule.word << ' ' << name;
    }
}

TEST(Optimizer, ClearSetsAllToZero) {
  LargeCase c;
  clear(c.gradients);
  for (float x : c.gradients.span()) ASSERT_EQ(x, 0.0f);
}

}  // namespace
}  // namespace vit
