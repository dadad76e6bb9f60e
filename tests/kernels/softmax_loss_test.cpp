#include "vit/kernels/softmax_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::kFp32;
using test::kFp32Elementwise;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<double> log_softmax(const GuardedMatrix& x, int64_t row) {
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t c = 0; c < x.cols(); ++c) largest = std::max(largest, double{x(row, c)});
  for (int64_t c = 0; c < x.cols(); ++c) sum += std::exp(double{x(row, c)} - largest);
  std::vector<double> result;
  for (int64_t c = 0; c < x.cols(); ++c) result.push_back(double{x(row, c)} - largest - std::log(sum));
  return result;
}

const int64_t kClasses[] = {1, 2, 3, 10, 15, 16, 17, 33, 100, 1000};

TEST(CrossEntropy, LargeAndMaskedLogits) {
  GuardedMatrix x(5, 20), losses(1, 5), dx(5, 20);
  x.fill(0);
  for (int64_t c = 0; c < 20; ++c) {
    x(0, c) = 1e30f;
    x(1, c) = c == 3 ? 0 : -kInfinity;
  }
  x(2, 18) = kNan;
  x(3, 2) = kInfinity;
  const int32_t labels[] = {3, 3, 3, 3, 3};
  cross_entropy(x.view(), labels, 0, 1, losses.data(), dx.view());
  for (int64_t c = 0; c < 20; ++c) {
    const float target = c == 3 ? 1.0f : 0.0f;
    EXPECT_FLOAT_EQ(dx(0, c) + target, 0.05f);
    EXPECT_EQ(dx(1, c), 0.0f);
    EXPECT_TRUE(std::isnan(dx(2, c)));
    EXPECT_FLOAT_EQ(dx(4, c) + target, 0.05f);
  }
  EXPECT_TRUE(std::isnan(dx(3, 2)));  // as in PyTorch: inf - inf
  EXPECT_FLOAT_EQ(losses(0, 0), std::log(20.0f));
  EXPECT_EQ(losses(0, 1), 0.0f);
  EXPECT_TRUE(std::isnan(losses(0, 2)) && std::isnan(losses(0, 3)));
  EXPECT_FLOAT_EQ(losses(0, 4), std::log(20.0f));
}

// Without its maximum subtracted, exp overflows.
TEST(CrossEntropy, FindsTheMaximumAnywhere) {
  for (int64_t classes : kClasses)
    for (int64_t at = 0; at < classes; at += 1 + classes / 20) {
      GuardedMatrix x(1, classes), loss(1, 1), dx(1, classes);
      x.fill(-1000);
      x(0, at) = 1000;
      const auto label = static_cast<int32_t>(at);
      cross_entropy(x.view(), &label, 0, 1, loss.data(), dx.view());
      ASSERT_EQ(loss(0, 0), 0.0f) << at << " of " << classes;
      for (int64_t c = 0; c < classes; ++c) ASSERT_EQ(dx(0, c), 0.0f) << c << " of " << classes;
    }
}

TEST(CrossEntropy, MatchesTheDefinition) {
  for (int64_t classes : kClasses)
    for (float smoothing : {0.0f, 0.1f}) {
      const auto logits = GuardedMatrix::random(6, classes, 2, 1, 5);
      std::vector<int32_t> labels;
      for (int32_t r = 0; r < 6; ++r) labels.push_back(r * 7 % static_cast<int32_t>(classes));
      GuardedMatrix losses(1, 6), dlogits(6, classes, 1), in_place = logits, same_losses(1, 6);
      cross_entropy(logits.view(), labels.data(), smoothing, 0.25f, losses.data(), dlogits.view());
      cross_entropy(in_place.view(), labels.data(), smoothing, 0.25f, same_losses.data(), in_place.view());
      const auto s = double{smoothing}, n = static_cast<double>(classes);
      std::vector<double> want_losses, want;
      for (int64_t r = 0; r < 6; ++r) {
        const auto logp = log_softmax(logits, r);
        double loss = 0;
        for (int64_t c = 0; c < classes; ++c) {
          const double target = (c == labels[static_cast<std::size_t>(r)] ? 1 - s : 0.0) + s / n;
          loss -= target * logp[static_cast<std::size_t>(c)];
          want.push_back(0.25 * (std::exp(logp[static_cast<std::size_t>(c)]) - target));
        }
        want_losses.push_back(loss);
      }
      expect_close(losses.values(), want_losses, kFp32);
      expect_close(dlogits.values(), want, kFp32Elementwise);
      expect_close(same_losses.values(), losses.values(), kExact);
      expect_close(in_place.values(), dlogits.values(), kExact);
      EXPECT_TRUE(losses.intact() && dlogits.intact());
    }
}

// torch.nn.functional.cross_entropy(torch.tensor([[1., 2., 3.]]), torch.tensor([0]), label_smoothing=0.1)
TEST(CrossEntropy, PublishedFunctionAgrees) {
  const float logits[] = {1, 2, 3};
  const int32_t label = 0;
  float plain = 0, smoothed = 0;
  cross_entropy({logits, {1, 3}}, &label, 0, 1, &plain, {});
  cross_entropy({logits, {1, 3}}, &label, 0.1f, 1, &smoothed, {});
  EXPECT_FLOAT_EQ(plain, 2.4076059f);
  EXPECT_FLOAT_EQ(smoothed, 2.3076059f);
}

/// The definition for any targets [M, C], smoothed already: losses, and 0.25 times the gradient.
struct SoftReference {
  std::vector<double> losses, dlogits;

  SoftReference(const GuardedMatrix& logits, const std::vector<double>& targets) {
    std::size_t at = 0;
    for (int64_t r = 0; r < logits.rows(); ++r) {
      const auto logp = log_softmax(logits, r);
      double loss = 0, total = 0;
      for (std::size_t c = 0; c < logp.size(); ++c) {
        loss -= targets[at + c] * logp[c];
        total += targets[at + c];
      }
      for (double logarithm : logp) dlogits.push_back(0.25 * (total * std::exp(logarithm) - targets[at++]));
      losses.push_back(loss);
    }
  }
};

constexpr float kWeights[] = {0.3f, 1, 0, 0.5f, 0.9f, 0.25f};

TEST(CrossEntropy, PairsMatchTheDefinition) {
  for (int64_t classes : kClasses)
    for (float smoothing : {0.0f, 0.1f}) {
      const auto logits = GuardedMatrix::random(6, classes, 2, 1, 5);
      std::vector<int32_t> first, second;
      std::vector<double> targets;
      const auto n = static_cast<int32_t>(classes);
      for (int32_t r = 0; r < 6; ++r) {
        first.push_back(r * 7 % n);
        second.push_back(r * 5 % n);  // the same in the first row
        const auto row = static_cast<std::size_t>(r);
        const double w = double{kWeights[row]}, s = double{smoothing};
        for (int32_t c = 0; c < n; ++c)
          targets.push_back((1 - s) * (w * (c == first[row]) + (1 - w) * (c == second[row])) + s / n);
      }
      GuardedMatrix losses(1, 6), dlogits(6, classes, 1);
      cross_entropy(logits.view(), {first.data(), second.data(), kWeights}, smoothing, 0.25f, losses.data(),
                    dlogits.view());
      const SoftReference want(logits, targets);
      expect_close(losses.values(), want.losses, kFp32);
      expect_close(dlogits.values(), want.dlogits, kFp32Elementwise);
      EXPECT_TRUE(losses.intact() && dlogits.intact());
    }
}

TEST(CrossEntropy, AWeightOfOneOrZeroHasTheBitsOfOneLabel) {
  auto logits = GuardedMatrix::random(2, 33, 0, 1, 5);
  const int32_t first[] = {3, 4}, second[] = {5, 6}, counted[] = {3, 6};
  logits(0, 5) = logits(1, 4) = -kInfinity;  // where there is no weight
  const float weights[] = {1, 0};
  for (float smoothing : {0.0f, 0.1f}) {
    GuardedMatrix losses(1, 2), dlogits(2, 33), want_losses = losses, want = dlogits;
    cross_entropy(logits.view(), {first, second, weights}, smoothing, 0.25f, losses.data(), dlogits.view());
    cross_entropy(logits.view(), counted, smoothing, 0.25f, want_losses.data(), want.view());
    EXPECT_EQ(losses.values(), want_losses.values());
    EXPECT_EQ(dlogits.values(), want.values());
  }
}

TEST(CrossEntropy, SoftTargetsMatchTheDefinition) {
  for (int64_t classes : kClasses)
    for (float smoothing : {0.0f, 0.1f}) {
      const auto logits = GuardedMatrix::random(6, classes, 2, 1, 5);
      auto given = GuardedMatrix::random(6, classes, 3, 2, 1 / std::sqrt(static_cast<float>(classes)));
      for (int64_t r = 0; r < 6; ++r) given(r, r % classes) = 0;
      std::vector<double> targets;
      for (float t : given.values())
        targets.push_back((1 - double{smoothing}) * double{t} + double{smoothing} / static_cast<double>(classes));
      GuardedMatrix losses(1, 6), dlogits(6, classes, 1), in_place = logits, same_losses(1, 6);
      cross_entropy_soft(logits.view(), given.view(), smoothing, 0.25f, losses.data(), dlogits.view());
      cross_entropy_soft(in_place.view(), given.view(), smoothing, 0.25f, same_losses.data(), in_place.view());
      const SoftReference want(logits, targets);
      expect_close(losses.values(), want.losses, kFp32);
      expect_close(dlogits.values(), want.dlogits, kFp32Elementwise);
      expect_close(same_losses.values(), losses.values(), kExact);
      expect_close(in_place.values(), dlogits.values(), kExact);
      EXPECT_TRUE(losses.intact() && dlogits.intact());
    }
}

// torch.nn.functional.cross_entropy with targets [B, C], label_smoothing=0.1 and reduction='none', in double.
TEST(CrossEntropy, PublishedFunctionAgreesOnSoftTargets) {
  const float logits[] = {1, 2, 3, 0.5f, -1, 2}, targets[] = {0.2f, 0.5f, 0.3f, 0.7f, 0.1f, 0.4f};
  std::vector<float> losses(2), dlogits(6);
  cross_entropy_soft({logits, {2, 3}}, {targets, {2, 3}}, 0.1f, 1, losses.data(), {dlogits.data(), {2, 3}});
  expect_close(losses, std::vector<double>{1.3176059644443805, 1.6497473300554455}, kFp32Elementwise);
  expect_close(dlogits,
               std::vector<double>{-0.12330276016295291, -0.2386048622785357, 0.36190762244148844, -0.45649067060809007,
                                   -0.07718049687392216, 0.5336711674820122},
               kFp32Elementwise);
}

TEST(CrossEntropy, MaskedClassesOfSoftTargets) {
  const float logits[] = {0, -kInfinity, 0, 0}, targets[] = {0.5f, 0, 0.5f, 0};
  std::vector<float> loss(1), dlogits(4);
  cross_entropy_soft({logits, {1, 4}}, {targets, {1, 4}}, 0, 1, loss.data(), {dlogits.data(), {1, 4}});
  EXPECT_FLOAT_EQ(loss[0], std::log(3.0f));
  expect_close(dlogits, std::vector<double>{1 / 3.0 - 0.5, 0, 1 / 3.0 - 0.5, 1 / 3.0}, kFp32Elementwise);
}

TEST(CrossEntropy, NotANumberSpreadsToItsRowOnly) {
  auto logits = GuardedMatrix::random(2, 18, 0, 1);
  logits(0, 17) = kNan;
  const int32_t labels[] = {1, 1};
  GuardedMatrix losses(1, 2), dlogits(2, 18);
  cross_entropy(logits.view(), labels, 0, 1, losses.data(), dlogits.view());
  EXPECT_TRUE(std::isnan(losses(0, 0)) && std::isnan(dlogits(0, 0)));
  EXPECT_TRUE(std::isfinite(losses(0, 1)) && std::isfinite(dlogits(1, 0)));
}

TEST(CrossEntropy, LabelOutOfRangeIsAnError) {
  const auto logits = GuardedMatrix::random(1, 4, 0, 1);
  GuardedMatrix losses(1, 1);
  for (int32_t label : {-1, 4}) EXPECT_THROW(cross_entropy(logits.view(), &label, 0, 1, losses.data(), {}), Error);
}

TEST(CrossEntropy, PairsThatDoNotFitAreErrors) {
  const auto logits = GuardedMatrix::random(1, 4, 0, 1);
  GuardedMatrix losses(1, 1);
  const auto pair = [&](int32_t first, int32_t second, float weight) {
    cross_entropy(logits.view(), {&first, &second, &weight}, 0, 1, losses.data(), {});
  };
  EXPECT_NO_THROW(pair(3, 0, 0.5f));
  EXPECT_THROW(pair(4, 0, 0.5f), Error);
  EXPECT_THROW(pair(0, 4, 0.5f), Error);
  for (float weight : {-0.1f, 1.1f, kNan}) EXPECT_THROW(pair(0, 1, weight), Error);
  const auto targets = GuardedMatrix::random(1, 3, 0, 1);
  EXPECT_THROW(cross_entropy_soft(logits.view(), targets.view(), 0, 1, losses.data(), {}), Error);
}

}  // namespace
}  // namespace vit
