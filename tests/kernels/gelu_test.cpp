#include "vit/kernels/gelu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kFp32Elementwise;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double inner(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

double gelu(double x, Activation kind) {
  return kind == Activation::gelu_erf ? x * cdf(x) : 0.5 * x * (1 + std::tanh(inner(x)));
}

double gelu_slope(double x, Activation kind) {
  if (kind == Activation::gelu_erf) return cdf(x) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
  const double t = std::tanh(inner(x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

class Gelu : public testing::TestWithParam<Activation> {};

TEST_P(Gelu, WholeRange) {
  // Dense where the function bends, up to where it is linear or zero.
  std::vector<float> x;
  for (int i = -15000; i <= 15000; ++i) x.push_back(static_cast<float>(i) * 1e-3f);
  for (float big : {20.0f, 100.0f, 1e4f, 1e10f}) x.insert(x.end(), {big, -big});
  for (float small : {1e-3f, 1e-10f, 1e-38f, 1e-42f, 0.0f}) x.insert(x.end(), {small, -small});
  const auto count = static_cast<int64_t>(x.size());
  std::vector<float> y(x.size()), dx(x.size());
  const std::vector<float> ones(x.size(), 1.0f);
  const auto row = [&](auto& v) { return TensorView(v.data(), {1, count}); };
  gelu_forward(row(x), GetParam(), row(y));
  gelu_backward(row(ones), row(x), GetParam(), row(dx));
  std::vector<double> want, want_dx;
  for (float v : x) {
    want.push_back(gelu(double{v}, GetParam()));
    want_dx.push_back(gelu_slope(double{v}, GetParam()));
  }
  expect_close(y, want, kFp32Elementwise);
  expect_close(dx, want_dx, kFp32Elementwise);
}

TEST_P(Gelu, EveryLengthStaysInsideItsArrays) {
  for (int64_t n = 0; n <= 70; ++n) {
    const auto x = GuardedMatrix::random(1, n, 0, 1), dy = GuardedMatrix::random(1, n, 0, 2);
    GuardedMatrix y(1, n), dx(1, n), in_place = x, in_dy = dy;
    gelu_forward(x.view(), GetParam(), y.view());
    gelu_backward(dy.view(), x.view(), GetParam(), dx.view());
    gelu_forward(in_place.view(), GetParam(), in_place.view());
    gelu_backward(in_dy.view(), x.view(), GetParam(), in_dy.view());
    std::vector<double> want, want_dx;
    for (int64_t i = 0; i < n; ++i) {
      want.push_back(gelu(double{x(0, i)}, GetParam()));
      want_dx.push_back(double{dy(0, i)} * gelu_slope(double{x(0, i)}, GetParam()));
    }
    for (const GuardedMatrix* m : {&y, &in_place}) expect_close(m->values(), want, kFp32Elementwise);
    for (const GuardedMatrix* m : {&dx, &in_dy}) expect_close(m->values(), want_dx, kFp32Elementwise);
    EXPECT_TRUE(y.intact() && dx.intact() && in_place.intact() && in_dy.intact());
  }
}

TEST_P(Gelu, NotFiniteStaysNotFinite) {
  const float x[] = {std::numeric_limits<float>::quiet_NaN(), kInfinity};
  float y[2], dx[2];
  const float ones[] = {1, 1};
  const auto row = [](auto* v) { return TensorView(v, {1, 2}); };
  gelu_forward(row(x), GetParam(), row(y));
  gelu_backward(row(ones), row(x), GetParam(), row(dx));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_TRUE(std::isnan(dx[0]));
  EXPECT_EQ(y[1], kInfinity);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Gelu, testing::Values(Activation::gelu_erf, Activation::gelu_tanh),
                         [](const auto& p) { return p.param == Activation::gelu_erf ? "erf" : "tanh"; });

TEST(GeluKind, NoKindIsAnError) {
  float one = 1;
  const TensorView<float> x(&one, {1, 1});
  EXPECT_THROW(gelu_forward(x, Activation::none, x), Error);
  EXPECT_THROW(gelu_backward(x, x, Activation::none, x), Error);
}

}  // namespace
}  // namespace vit
