#include "vit/kernels/adamw.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::kFp32Elementwise;

// torch.optim.AdamW on [1, -2, 0.5, 3] with lr 0.01, weight_decay 0.1 and the three gradients below.
TEST(Adamw, ThreeStepsOfTorch) {
  const float grads[3][4] = {{0.1f, -0.2f, 0.3f, 0.0f}, {0.5f, 0.25f, -1.0f, 0.0f}, {-0.1f, 1e-4f, 2.0f, 1e-10f}};
  const std::vector<double> want[3] = {
      {0.9890000224113464, -1.9880000352859497, 0.4895000159740448, 2.996999979019165},
      {0.9794005751609802, -1.9876394271850586, 0.4942138195037842, 2.9940030574798584},
      {0.973119854927063, -1.9869117736816406, 0.48991647362709045, 2.9909722805023193}};
  std::vector<float> p = {1.0f, -2.0f, 0.5f, 3.0f}, m(4), v(4);
  for (int step = 0; step < 3; ++step) {
    adamw_update({.lr = 0.01f, .weight_decay = 0.1f, .step = step + 1}, grads[step], 4, p.data(), m.data(), v.data());
    expect_close(p, want[step], kFp32Elementwise);
  }
  expect_close(m,
               std::vector<double>{0.043100010603666306, 0.006310001946985722, 0.13430003821849823, 1.0000002562e-11},
               kFp32Elementwise);
  expect_close(v, std::vector<double>{2.69726529950276e-4, 1.0235622903564945e-4, 5.088754463940859e-3, 9.9998714e-24},
               kFp32Elementwise);
}

TEST(Adamw, EveryLengthMatchesTheFormula) {
  const AdamwStep step{
      .lr = 0.1f, .beta1 = 0.8f, .beta2 = 0.9f, .eps = 1e-3f, .weight_decay = 0.5f, .grad_scale = 0.25f, .step = 7};
  const double b1 = double{step.beta1}, b2 = double{step.beta2};
  for (int64_t n = 0; n <= 50; ++n) {
    const auto grad = GuardedMatrix::random(1, n, 0, 1);
    auto p = GuardedMatrix::random(1, n, 0, 2), m = GuardedMatrix::random(1, n, 0, 3),
         v = GuardedMatrix::random(1, n, 0, 4);
    for (int64_t i = 0; i < n; ++i) v(0, i) = std::fabs(v(0, i));
    std::vector<double> want_p, want_m, want_v;
    for (int64_t i = 0; i < n; ++i) {
      const double g = double{grad(0, i)} * 0.25;
      want_m.push_back(b1 * double{m(0, i)} + (1 - b1) * g);
      want_v.push_back(b2 * double{v(0, i)} + (1 - b2) * g * g);
      const double denominator = std::sqrt(want_v.back() / (1 - std::pow(b2, 7))) + double{step.eps};
      const double decayed = double{p(0, i)} * (1 - double{step.lr} * double{step.weight_decay});
      want_p.push_back(decayed - double{step.lr} / (1 - std::pow(b1, 7)) * want_m.back() / denominator);
    }
    adamw_update(step, grad.data(), n, p.data(), m.data(), v.data());
    expect_close(p.values(), want_p, kFp32Elementwise);
    expect_close(m.values(), want_m, kFp32Elementwise);
    expect_close(v.values(), want_v, kFp32Elementwise);
    EXPECT_TRUE(p.intact() && m.intact() && v.intact());
  }
}

TEST(Adamw, AnyCutGivesTheSameBits) {
  const AdamwStep step{.weight_decay = 0.05f, .step = 3};
  const auto grad = GuardedMatrix::random(1, 101, 0, 1);
  const auto p = GuardedMatrix::random(1, 101, 0, 2);
  GuardedMatrix zeros(1, 101);
  zeros.fill(0);
  auto whole_p = p, whole_m = zeros, whole_v = zeros;
  adamw_update(step, grad.data(), 101, whole_p.data(), whole_m.data(), whole_v.data());
  for (int64_t cut : {1, 7, 16, 50, 100}) {
    auto cut_p = p, cut_m = zeros, cut_v = zeros;
    adamw_update(step, grad.data(), cut, cut_p.data(), cut_m.data(), cut_v.data());
    adamw_update(step, grad.data() + cut, 101 - cut, cut_p.data() + cut, cut_m.data() + cut, cut_v.data() + cut);
    expect_close(cut_p.values(), whole_p.values(), kExact);
    expect_close(cut_v.values(), whole_v.values(), kExact);
  }
}

TEST(Adamw, NotANumberInTheGradientShows) {
  float grad = std::numeric_limits<float>::quiet_NaN(), p = 1, m = 0, v = 0;
  adamw_update({}, &grad, 1, &p, &m, &v);
  EXPECT_TRUE(std::isnan(p) && std::isnan(m) && std::isnan(v));
}

TEST(Adamw, StepsCountFromOne) {
  float x = 1;
  EXPECT_THROW(adamw_update({.step = 0}, &x, 1, &x, &x, &x), Error);
}

}  // namespace
}  // namespace vit
