#include "train/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int64_t kRows = 3, kClasses = 4;
constexpr float kLogits[] = {1, -2, 0.5f, 3, 0, 0.25f, -1, 2, 4, 1, 1, -3};
constexpr int32_t kFirst[] = {0, 3, 2};
constexpr int32_t kSecond[] = {1, 3, 0};
constexpr float kShare[] = {0.7f, 0.4f, 1};
constexpr float kSoft[] = {0.7f, 0.3f, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0};  // the pairs, spelled out

const Targets kOne{.labels = kFirst};
const Targets kPairs{.labels = kFirst, .second = kSecond, .share = kShare};
const Targets kShares{.soft = {kSoft, {kRows, kClasses}}};

struct Result {
  std::vector<float> losses = std::vector<float>(kRows);
  std::vector<float> gradients = std::vector<float>(kRows * kClasses);
};

Result run(const Objective& objective, const Targets& targets, const std::vector<float>& logits, float scale = 1) {
  Result result;
  objective.run({logits.data(), {kRows, kClasses}}, targets, scale, result.losses.data(),
                {result.gradients.data(), {kRows, kClasses}});
  return result;
}

std::vector<float> logits() { return {std::begin(kLogits), std::end(kLogits)}; }

std::shared_ptr<const Objective> smoothed(const std::string& word) {
  TrainConfig config;
  config.objective = word;
  config.label_smoothing = 0.2f;
  return make_objective(config);
}

/// Every row of the table, with labels smoothed.
class EachObjective : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Objective> objective_ = smoothed(GetParam());
};

TEST_P(EachObjective, GradientsAreThoseOfTheLosses) {
  for (const Targets& targets : {kOne, kPairs, kShares}) {
    const Result result = run(*objective_, targets, logits(), 0.5f);
    for (std::size_t i = 0; i < result.gradients.size(); ++i) {
      constexpr float kStep = 1.0f / 64;
      std::vector<float> above = logits(), below = logits();
      above[i] += kStep;
      below[i] -= kStep;
      const std::size_t row = i / kClasses;
      const float slope =
          (run(*objective_, targets, above).losses[row] - run(*objective_, targets, below).losses[row]) / (2 * kStep);
      EXPECT_NEAR(result.gradients[i], 0.5f * slope, 1e-4f) << i;
    }
  }
}

TEST_P(EachObjective, PairsAreSharesOfTwoClasses) {
  const Result pairs = run(*objective_, kPairs, logits());
  const Result shares = run(*objective_, kShares, logits());
  for (std::size_t i = 0; i < pairs.losses.size(); ++i) EXPECT_NEAR(pairs.losses[i], shares.losses[i], 2e-6f);
  for (std::size_t i = 0; i < pairs.gradients.size(); ++i) EXPECT_NEAR(pairs.gradients[i], shares.gradients[i], 2e-6f);
}

TEST_P(EachObjective, ARowKnowsNothingOfTheOthers) {
  for (const Targets& targets : {kOne, kPairs, kShares}) {
    const Result all = run(*objective_, targets, logits());
    float loss = 0, gradients[kClasses];
    objective_->run({kLogits + 2 * kClasses, {1, kClasses}}, targets.from(2), 1, &loss, {gradients, {1, kClasses}});
    EXPECT_EQ(loss, all.losses[2]);
    for (std::size_t c = 0; c < kClasses; ++c) EXPECT_EQ(gradients[c], all.gradients[2 * kClasses + c]);
  }
}

TEST_P(EachObjective, TargetsThatAreNoneAreErrors) {
  const int32_t wrong[] = {0, 4, 0};
  EXPECT_THROW(run(*objective_, {}, logits()), Error);
  EXPECT_THROW(run(*objective_, {.labels = wrong}, logits()), Error);
  EXPECT_THROW(run(*objective_, {.labels = kFirst, .second = wrong, .share = kShare}, logits()), Error);
  EXPECT_THROW(run(*objective_, {.labels = kFirst, .second = kSecond}, logits()), Error);
  EXPECT_THROW(run(*objective_, {.soft = {kSoft, {kRows, 2}}}, logits()), Error);
}

INSTANTIATE_TEST_SUITE_P(Table, EachObjective, testing::ValuesIn(objective_words()),
                         [](const auto& p) { return p.param; });

TEST(Objective, UnknownWordListsTheKnown) {
  try {
    smoothed("mse");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("cross_entropy"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace vit
