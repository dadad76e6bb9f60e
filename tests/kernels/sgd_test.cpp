#include "vit/kernels/sgd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kFp32Elementwise;

// torch.optim.SGD in double on [1, -2, 0.5, 3] with lr 0.1, weight_decay 0.01 and the three gradients below.
TEST(Sgd, ThreeStepsOfTorch) {
  const float grads[3][4] = {{0.1f, 0.2f, -0.3f, 0.0f}, {0.4f, -0.25f, 1.0f, 0.0f}, {-0.05f, 0.3f, 0.7f, 1e-3f}};
  const auto after = [&](float momentum, bool nesterov) {
    std::vector<float> p = {1.0f, -2.0f, 0.5f, 3.0f}, v(4);
    for (const float* grad : grads)
      sgd_update({.lr = 0.1f, .momentum = momentum, .nesterov = nesterov, .weight_decay = 0.01f}, grad, 4, p.data(),
                 momentum == 0 ? nullptr : v.data());
    return p;
  };
  expect_close(after(0, false), std::vector<double>{0.952062989, -2.018991018, 0.3585415295, 2.990908997},
               kFp32Elementwise);
  expect_close(after(0.9f, false), std::vector<double>{0.896372789, -2.025438618, 0.3184834295, 2.983084397},
               kFp32Elementwise);
  expect_close(after(0.9f, true), std::vector<double>{0.858922212551, -2.041844229462, 0.1952047163405, 2.975704703423},
               kFp32Elementwise);
}

TEST(Sgd, EveryLengthMatchesTheFormula) {
  const SgdStep step{.lr = 0.1f, .momentum = 0.8f, .nesterov = true, .weight_decay = 0.5f, .grad_scale = 0.25f};
  const double lr = double{step.lr}, momentum = double{step.momentum};
  for (int64_t n = 0; n <= 50; ++n) {
    const auto grad = GuardedMatrix::random(1, n, 0, 1);
    auto p = GuardedMatrix::random(1, n, 0, 2), v = GuardedMatrix::random(1, n, 0, 3);
    std::vector<double> want_p, want_v;
    for (int64_t i = 0; i < n; ++i) {
      const double g = double{grad(0, i)} * 0.25 + 0.5 * double{p(0, i)};
      want_v.push_back(momentum * double{v(0, i)} + g);
      want_p.push_back(double{p(0, i)} - lr * (g + momentum * want_v.back()));
    }
    sgd_update(step, grad.data(), n, p.data(), v.data());
    expect_close(p.values(), want_p, kFp32Elementwise);
    expect_close(v.values(), want_v, kFp32Elementwise);
    EXPECT_TRUE(p.intact() && v.intact());
  }
}

TEST(Sgd, AnyCutGivesTheSameBits) {
  const SgdStep step{.momentum = 0.9f, .weight_decay = 0.05f};
  const auto grad = GuardedMatrix::random(1, 101, 0, 1), p = GuardedMatrix::random(1, 101, 0, 2),
             v = GuardedMatrix::random(1, 101, 0, 3);
  auto whole_p = p, whole_v = v;
  sgd_update(step, grad.data(), 101, whole_p.data(), whole_v.data());
  for (int64_t cut : {1, 7, 16, 50, 100}) {
    auto cut_p = p, cut_v = v;
    sgd_update(step, grad.data(), cut, cut_p.data(), cut_v.data());
    sgd_update(step, grad.data() + cut, 101 - cut, cut_p.data() + cut, cut_v.data() + cut);
    EXPECT_EQ(cut_p.values(), whole_p.values());
    EXPECT_EQ(cut_v.values(), whole_v.values());
  }
}

TEST(Sgd, NotANumberInTheGradientShows) {
  float grad = std::numeric_limits<float>::quiet_NaN(), p = 1, v = 0;
  sgd_update({.momentum = 0.5f}, &grad, 1, &p, &v);
  EXPECT_TRUE(std::isnan(p) && std::isnan(v));
}

TEST(Sgd, MomentumNeedsItsState) {
  float x = 1;
  EXPECT_THROW(sgd_update({.momentum = 0.5f}, &x, 1, &x, nullptr), Error);
  EXPECT_THROW(sgd_update({.nesterov = true}, &x, 1, &x, &x), Error);
  EXPECT_NO_THROW(sgd_update({}, &x, 1, &x, nullptr));
}

}  // namespace
}  // namespace vit
