#include "vit/kernels/gelu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::expect_close;
using test::Guarded;
using test::kExact;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double inner(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

constexpr double kQuick = 1.702;
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

double gelu(double x, Activation kind) {
  if (kind == Activation::quick_gelu) return x * logistic(kQuick * x);
  return kind == Activation::gelu_erf ? x * cdf(x) : 0.5 * x * (1 + std::tanh(inner(x)));
}

double gelu_slope(double x, Activation kind) {
  if (kind == Activation::quick_gelu) {
    const double s = logistic(kQuick * x);
    return s + kQuick * x * s * (1 - s);
  }
  if (kind == Activation::gelu_erf) return cdf(x) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
  const double t = std::tanh(inner(x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

template <class T>
constexpr test::Tolerance kTolerance = test::kFp32Elementwise;
template <>
constexpr test::Tolerance kTolerance<BFloat16> = test::kBf16Elementwise;
template <>
constexpr test::Tolerance kTolerance<int8_t> = test::kInt8Elementwise;

template <class T>
constexpr float kScale = std::is_same_v<T, int8_t> ? 30.0f : 1.0f;

double saturate(double v, int8_t) { return std::clamp(v, -127.0, 127.0); }
template <class T>
double saturate(double v, T) {
  return v;
}

template <class X, class Y>
void check_forward(const Guarded<X>& x, Activation kind) {
  Guarded<Y> y(x.rows(), x.cols(), 3);
  gelu_forward(x.view(), kind, y.view(), kScale<Y>);
  std::vector<double> want;
  for (float v : x.values()) want.push_back(saturate(gelu(double{v}, kind) * double{kScale<Y>}, Y()));
  expect_close(y.values(), want, kTolerance<Y>);
  EXPECT_TRUE(y.intact());
  if constexpr (std::is_same_v<X, Y>) {
    auto in_place = x;
    gelu_forward(in_place.view(), kind, in_place.view());
    expect_close(in_place.values(), y.values(), kExact);
    EXPECT_TRUE(in_place.intact());
  }
}

template <class Dy, class X, class Dx>
void check_backward(const Guarded<X>& x, Activation kind) {
  const auto dy = Guarded<Dy>::random(x.rows(), x.cols(), 2, 2, 0.25f);
  Guarded<Dx> dx(x.rows(), x.cols(), 5);
  gelu_backward(dy.view(), x.view(), kind, dx.view());
  std::vector<double> want;
  const auto g = dy.values(), v = x.values();
  for (std::size_t i = 0; i < v.size(); ++i) want.push_back(double{g[i]} * gelu_slope(double{v[i]}, kind));
  expect_close(dx.values(), want, kTolerance<Dx>);
  EXPECT_TRUE(dx.intact());
  if constexpr (std::is_same_v<Dy, Dx>) {
    auto in_place = dy;
    gelu_backward(in_place.view(), x.view(), kind, in_place.view());
    expect_close(in_place.values(), dx.values(), kExact);
    EXPECT_TRUE(in_place.intact());
  }
}

template <class X>
void check_all(const Guarded<X>& x, Activation kind) {
  check_forward<X, float>(x, kind);
  check_forward<X, BFloat16>(x, kind);
  check_forward<X, int8_t>(x, kind);
  check_backward<float, X, float>(x, kind);
  check_backward<float, X, BFloat16>(x, kind);
  check_backward<BFloat16, X, float>(x, kind);
  check_backward<BFloat16, X, BFloat16>(x, kind);
}

// Dense where the function bends, up to where it is linear or zero.
template <class T>
Guarded<T> whole_range() {
  std::vector<float> values;
  for (int i = -15000; i <= 15000; ++i) values.push_back(static_cast<float>(i) * 1e-3f);
  for (float big : {20.0f, 100.0f, 1e4f, 1e10f}) values.insert(values.end(), {big, -big});
  for (float small : {1e-3f, 1e-10f, 1e-38f, 1e-42f, 0.0f}) values.insert(values.end(), {small, -small});
  Guarded<T> x(1, static_cast<int64_t>(values.size()));
  for (int64_t i = 0; i < x.cols(); ++i) test::assign(x(0, i), values[static_cast<std::size_t>(i)]);
  return x;
}

class Gelu : public testing::TestWithParam<Activation> {};

TEST_P(Gelu, WholeRange) {
  test::for_each_target([&] {
    check_all(whole_range<float>(), GetParam());
    check_all(whole_range<BFloat16>(), GetParam());
  });
}

TEST_P(Gelu, EveryLengthStaysInsideItsArrays) {
  test::for_each_target([&] {
    for (int64_t cols = 0; cols <= 70; ++cols) {
      check_all(Guarded<float>::random(2, cols, 1, 1), GetParam());
      check_all(Guarded<BFloat16>::random(2, cols, 1, 1), GetParam());
    }
  });
}

// Whether it is done with many others, with few, or in the odd place of a pair.
TEST_P(Gelu, AnElementDoesNotDependOnItsPlace) {
  const auto x = Guarded<BFloat16>::random(1, 100, 0, 1, 2);
  Guarded<float> all(1, 100), one(1, 1);
  Guarded<BFloat16> all_bf16(1, 100), one_bf16(1, 1), slope(1, 100), one_slope(1, 1);
  gelu_forward(x.view(), GetParam(), all.view());
  gelu_forward(x.view(), GetParam(), all_bf16.view());
  gelu_backward(x.view(), x.view(), GetParam(), slope.view());
  for (int64_t i = 0; i < 100; ++i) {
    const auto element = x.view().columns(i, 1);
    gelu_forward(element, GetParam(), one.view());
    gelu_forward(element, GetParam(), one_bf16.view());
    gelu_backward(element, element, GetParam(), one_slope.view());
    EXPECT_EQ(one(0, 0), all(0, i));
    EXPECT_EQ(one_bf16(0, 0).bits, all_bf16(0, i).bits);
    EXPECT_EQ(one_slope(0, 0).bits, slope(0, i).bits);
  }
}

TEST_P(Gelu, TailComesDownToZero) {
  const bool quick = GetParam() == Activation::quick_gelu;  // whose tail is longer
  const float end = quick ? -9.1f : -5, zero = quick ? -11 : -6;
  Guarded<float> x(1, 9000), y(1, 9000);
  for (int64_t i = 0; i < 9000; ++i) x(0, i) = -3.5f - static_cast<float>(i) * 1e-3f;
  gelu_forward(x.view(), GetParam(), y.view());
  for (int64_t i = 0; i < 9000; ++i) {
    EXPECT_LE(y(0, i), 0);
    EXPECT_GE(y(0, i), x(0, i) > end ? 1.005 * gelu(double{x(0, i)}, GetParam()) : -2e-6);
    EXPECT_TRUE(x(0, i) > zero || y(0, i) > -1e-7f);
  }
}

template <class X, class Y>
void check_not_finite(Activation kind) {
  const float quiet = std::numeric_limits<float>::quiet_NaN();
  for (int64_t place : {0, 1, 31, 32, 36}) {  // in whole vectors and in the rest
    const auto at = [&](float value) {
      auto x = Guarded<X>::random(1, 37, 0, 1);
      test::assign(x(0, place), value);
      return x;
    };
    Guarded<Y> y(1, 37);
    const auto forward = [&](float value) {
      gelu_forward(at(value).view(), kind, y.view());
      return test::as_float(y(0, place));
    };
    if constexpr (std::is_same_v<Y, int8_t>) {
      for (float nan : {quiet, -quiet}) EXPECT_EQ(forward(nan), 0);
      EXPECT_EQ(forward(kInfinity), 127);
      EXPECT_EQ(forward(-kInfinity), 0);
    } else {
      const auto ones = Guarded<X>::random(1, 37, 0, 2);
      for (float nan : {quiet, -quiet}) {
        EXPECT_TRUE(std::isnan(forward(nan)));
        gelu_backward(ones.view(), at(nan).view(), kind, y.view());
        EXPECT_TRUE(std::isnan(test::as_float(y(0, place))));
        gelu_backward(at(nan).view(), ones.view(), kind, y.view());
        EXPECT_TRUE(std::isnan(test::as_float(y(0, place))));
      }
      EXPECT_EQ(forward(kInfinity), kInfinity);
      EXPECT_EQ(forward(-kInfinity), 0);
    }
  }
}

TEST_P(Gelu, NotFinite) {
  test::for_each_target([&] {
    check_not_finite<float, float>(GetParam());
    check_not_finite<float, BFloat16>(GetParam());
    check_not_finite<float, int8_t>(GetParam());
    check_not_finite<BFloat16, float>(GetParam());
    check_not_finite<BFloat16, BFloat16>(GetParam());
    check_not_finite<BFloat16, int8_t>(GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, Gelu,
                         testing::Values(Activation::gelu_erf, Activation::gelu_tanh, Activation::quick_gelu),
                         [](const auto& p) {
                           if (p.param == Activation::quick_gelu) return "quick";
                           return p.param == Activation::gelu_erf ? "erf" : "tanh";
                         });

TEST(GeluArguments, WrongOnesAreErrors) {
  Guarded<float> x(2, 3), other(3, 2);
  Guarded<int8_t> small(2, 3);
  EXPECT_THROW(gelu_forward(x.view(), Activation::none, x.view()), Error);
  EXPECT_THROW(gelu_backward(x.view(), x.view(), Activation::none, x.view()), Error);
  EXPECT_THROW(gelu_forward(x.view(), Activation::gelu_erf, other.view()), Error);
  EXPECT_THROW(gelu_forward(small.view(), Activation::gelu_erf, x.view()), Error);
  EXPECT_THROW(gelu_backward(x.view(), x.view(), Activation::gelu_erf, small.view()), Error);
  EXPECT_THROW(gelu_backward(x.view(), other.view(), Activation::gelu_erf, x.view()), Error);
}

}  // namespace
}  // namespace vit
