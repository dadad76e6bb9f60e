#include "vit/kernels/layernorm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/elementwise.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::kFp32;

constexpr float kEps = 1e-6f;

struct Moments {
  double mean = 0, rstd = 0;
};

Moments moments(const GuardedMatrix& x, int64_t row) {
  const auto n = static_cast<double>(x.cols());
  double mean = 0, var = 0;
  for (int64_t c = 0; c < x.cols(); ++c) mean += double{x(row, c)} / n;
  for (int64_t c = 0; c < x.cols(); ++c) var += (double{x(row, c)} - mean) * (double{x(row, c)} - mean) / n;
  return {mean, 1 / std::sqrt(var + double{kEps})};
}

struct Case {
  int64_t rows, cols, gap;
};

class Layernorm : public testing::TestWithParam<Case> {
 protected:
  Case c_ = GetParam();
  GuardedMatrix x_ = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 1, 2);
  GuardedMatrix gamma_ = GuardedMatrix::random(1, c_.cols, 0, 2), beta_ = GuardedMatrix::random(1, c_.cols, 0, 3);
  GuardedMatrix mean_{1, c_.rows}, rstd_{1, c_.rows};
};

TEST_P(Layernorm, Forward) {
  GuardedMatrix y(c_.rows, c_.cols, c_.gap);
  layernorm_forward(x_.view(), gamma_.data(), beta_.data(), kEps, y.view(), mean_.data(), rstd_.data());
  std::vector<double> want, means, rstds;
  for (int64_t r = 0; r < c_.rows; ++r) {
    const Moments m = moments(x_, r);
    means.push_back(m.mean);
    rstds.push_back(m.rstd);
    for (int64_t c = 0; c < c_.cols; ++c)
      want.push_back((double{x_(r, c)} - m.mean) * m.rstd * double{gamma_(0, c)} + double{beta_(0, c)});
  }
  expect_close(y.values(), want, kFp32);
  expect_close(mean_.values(), means, kFp32);
  expect_close(rstd_.values(), rstds, kFp32);
  EXPECT_TRUE(y.intact() && mean_.intact() && rstd_.intact());
}

TEST_P(Layernorm, ForwardInPlaceGivesTheSameBits) {
  GuardedMatrix y(c_.rows, c_.cols), in_place = x_;
  layernorm_forward(x_.view(), gamma_.data(), beta_.data(), kEps, y.view(), nullptr, nullptr);
  layernorm_forward(in_place.view(), gamma_.data(), beta_.data(), kEps, in_place.view(), nullptr, nullptr);
  expect_close(in_place.values(), y.values(), kExact);
}

TEST_P(Layernorm, ForwardToNarrowTypes) {
  test::for_each_target([&] {
    test::Guarded<BFloat16> y_bf16(c_.rows, c_.cols, c_.gap);
    test::Guarded<int8_t> y_int8(c_.rows, c_.cols, c_.gap);
    auto gamma = gamma_, beta = beta_;  // int8 has its scale in these: some values saturate
    for (int64_t c = 0; c < c_.cols; ++c) gamma(0, c) *= 50, beta(0, c) *= 50;
    layernorm_forward(x_.view(), gamma_.data(), beta_.data(), kEps, y_bf16.view(), nullptr, nullptr);
    layernorm_forward(x_.view(), gamma.data(), beta.data(), kEps, y_int8.view(), nullptr, nullptr);
    std::vector<double> want, want_int8;
    for (int64_t r = 0; r < c_.rows; ++r) {
      const Moments m = moments(x_, r);
      for (int64_t c = 0; c < c_.cols; ++c) {
        want.push_back((double{x_(r, c)} - m.mean) * m.rstd * double{gamma_(0, c)} + double{beta_(0, c)});
        want_int8.push_back(std::clamp(50 * want.back(), -127.0, 127.0));
      }
    }
    expect_close(y_bf16.values(), want, test::kBf16Elementwise);
    expect_close(y_int8.values(), want_int8, test::kInt8Elementwise);
    EXPECT_TRUE(y_bf16.intact() && y_int8.intact());
  });
}

// bf16 rows are widened: the same numbers in fp32 give the same bits.
TEST_P(Layernorm, RowsOfBf16AreWidened) {
  test::for_each_target([&] {
    const auto narrow = test::Guarded<BFloat16>::random(c_.rows, c_.cols, c_.gap, 1, 2);
    auto narrow_dy = test::Guarded<BFloat16>::random(c_.rows, c_.cols, c_.gap, 4), in_place = narrow;
    GuardedMatrix x(c_.rows, c_.cols), dy = x, want = x, y = x, want_dgamma(1, c_.cols), want_dbeta(1, c_.cols);
    want_dgamma.fill(0), want_dbeta.fill(0);
    auto dgamma = want_dgamma, dbeta = want_dbeta;
    convert(narrow.view(), x.view());
    convert(narrow_dy.view(), dy.view());
    layernorm_forward(x.view(), gamma_.data(), beta_.data(), kEps, want.view(), mean_.data(), rstd_.data());
    layernorm_forward(narrow.view(), gamma_.data(), beta_.data(), kEps, y.view(), nullptr, nullptr);
    expect_close(y.values(), want.values(), kExact);
    test::Guarded<BFloat16> rounded(c_.rows, c_.cols);
    convert(want.view(), rounded.view());
    layernorm_forward(in_place.view(), gamma_.data(), beta_.data(), kEps, in_place.view(), nullptr, nullptr);
    expect_close(in_place.values(), rounded.values(), kExact);
    layernorm_backward(dy.view(), x.view(), mean_.data(), rstd_.data(), gamma_.data(), {}, dy.view(),
                       want_dgamma.data(), want_dbeta.data());
    convert(dy.view(), rounded.view());
    layernorm_backward(narrow_dy.view(), narrow.view(), mean_.data(), rstd_.data(), gamma_.data(), {}, narrow_dy.view(),
                       dgamma.data(), dbeta.data());
    expect_close(narrow_dy.values(), rounded.values(), kExact);
    expect_close(dgamma.values(), want_dgamma.values(), kExact);
    expect_close(dbeta.values(), want_dbeta.values(), kExact);
    EXPECT_TRUE(y.intact() && in_place.intact() && narrow_dy.intact());
  });
}

TEST_P(Layernorm, ARowDoesNotDependOnTheOthers) {
  GuardedMatrix all(c_.rows, c_.cols), one(1, c_.cols);
  layernorm_forward(x_.view(), gamma_.data(), beta_.data(), kEps, all.view(), nullptr, nullptr);
  for (int64_t r = 0; r < c_.rows; ++r) {
    layernorm_forward(x_.view().slice(r, 1), gamma_.data(), beta_.data(), kEps, one.view(), nullptr, nullptr);
    for (int64_t c = 0; c < c_.cols; ++c) EXPECT_EQ(one(0, c), all(r, c));
  }
}

TEST_P(Layernorm, Backward) {
  const auto dy = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 4);
  const auto residual = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 5);
  GuardedMatrix y(c_.rows, c_.cols), dx(c_.rows, c_.cols, c_.gap), plain_dx = dx;
  auto dgamma = GuardedMatrix::random(1, c_.cols, 0, 6), dbeta = GuardedMatrix::random(1, c_.cols, 0, 7);
  auto want_dgamma = std::vector<double>(), want_dbeta = std::vector<double>();
  for (float v : dgamma.values()) want_dgamma.push_back(double{v});
  for (float v : dbeta.values()) want_dbeta.push_back(double{v});
  std::vector<double> want, want_plain;
  const auto n = static_cast<double>(c_.cols);
  for (int64_t r = 0; r < c_.rows; ++r) {
    const Moments m = moments(x_, r);
    const auto h = [&](int64_t c) { return (double{x_(r, c)} - m.mean) * m.rstd; };
    const auto g = [&](int64_t c) { return double{dy(r, c)} * double{gamma_(0, c)}; };
    double mean_g = 0, mean_gh = 0;
    for (int64_t c = 0; c < c_.cols; ++c) {
      mean_g += g(c) / n;
      mean_gh += g(c) * h(c) / n;
      want_dgamma[static_cast<std::size_t>(c)] += double{dy(r, c)} * h(c);
      want_dbeta[static_cast<std::size_t>(c)] += double{dy(r, c)};
    }
    for (int64_t c = 0; c < c_.cols; ++c) {
      want_plain.push_back(m.rstd * (g(c) - mean_g - h(c) * mean_gh));
      want.push_back(want_plain.back() + double{residual(r, c)});
    }
  }
  layernorm_forward(x_.view(), gamma_.data(), beta_.data(), kEps, y.view(), mean_.data(), rstd_.data());
  GuardedMatrix ignored(1, c_.cols), ignored_too(1, c_.cols);
  layernorm_backward(dy.view(), x_.view(), mean_.data(), rstd_.data(), gamma_.data(), {}, plain_dx.view(),
                     ignored.data(), ignored_too.data());
  layernorm_backward(dy.view(), x_.view(), mean_.data(), rstd_.data(), gamma_.data(), residual.view(), dx.view(),
                     dgamma.data(), dbeta.data());
  // One column has no deviation: rstd is 1 / sqrt(eps), and rounding is as large.
  const test::Tolerance tolerance = c_.cols == 1 ? test::Tolerance{1e-3, 1e-5} : test::kFp32Gradient;
  expect_close(plain_dx.values(), want_plain, tolerance);
  expect_close(dx.values(), want, tolerance);
  expect_close(dgamma.values(), want_dgamma, test::kFp32Gradient);
  expect_close(dbeta.values(), want_dbeta, test::kFp32Gradient);
  EXPECT_TRUE(dx.intact() && plain_dx.intact() && dgamma.intact() && dbeta.intact());

  auto in_dy = dy, in_residual = residual;  // dx may be dy or residual
  layernorm_backward(in_dy.view(), x_.view(), mean_.data(), rstd_.data(), gamma_.data(), residual.view(), in_dy.view(),
                     ignored.data(), ignored_too.data());
  layernorm_backward(dy.view(), x_.view(), mean_.data(), rstd_.data(), gamma_.data(), in_residual.view(),
                     in_residual.view(), ignored.data(), ignored_too.data());
  expect_close(in_dy.values(), dx.values(), kExact);
  expect_close(in_residual.values(), dx.values(), kExact);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Layernorm,
                         testing::Values(Case{1, 1, 0}, Case{2, 3, 0}, Case{3, 7, 2}, Case{5, 16, 0}, Case{4, 31, 5},
                                         Case{9, 64, 1}, Case{3, 100, 0}, Case{17, 192, 3}, Case{2, 1000, 0}));

// A one-pass variance would lose all digits here.
TEST(LayernormNumerics, LargeMeanKeepsItsDigits) {
  GuardedMatrix x(1, 64), y(1, 64), ones(1, 64), zeros(1, 64);
  ones.fill(1);
  zeros.fill(0);
  for (int64_t c = 0; c < 64; ++c) x(0, c) = 65536.0f + static_cast<float>(c % 2);
  layernorm_forward(x.view(), ones.data(), zeros.data(), 0, y.view(), nullptr, nullptr);
  for (int64_t c = 0; c < 64; ++c) EXPECT_FLOAT_EQ(y(0, c), c % 2 == 0 ? -1.0f : 1.0f);
}

TEST(LayernormNumerics, NotANumberSpreadsToItsRowOnly) {
  auto x = GuardedMatrix::random(3, 20, 0, 1);
  x(1, 19) = std::numeric_limits<float>::quiet_NaN();
  GuardedMatrix y(3, 20), ones(1, 20);
  ones.fill(1);
  layernorm_forward(x.view(), ones.data(), ones.data(), kEps, y.view(), nullptr, nullptr);
  for (int64_t r = 0; r < 3; ++r)
    for (int64_t c = 0; c < 20; ++c) EXPECT_EQ(std::isnan(y(r, c)), r == 1);
  test::Guarded<int8_t> bytes(3, 20);
  layernorm_forward(x.view(), ones.data(), ones.data(), kEps, bytes.view(), nullptr, nullptr);
  for (int64_t c = 0; c < 20; ++c) EXPECT_EQ(bytes(1, c), 0);
}

TEST(LayernormNumerics, TypesThatDoNotMatchAreErrors) {
  GuardedMatrix x(3, 4), v(1, 4);
  test::Guarded<BFloat16> narrow(3, 4);
  test::Guarded<int8_t> bytes(3, 4);
  EXPECT_THROW(layernorm_forward(bytes.view(), v.data(), v.data(), kEps, x.view(), nullptr, nullptr), Error);
  for (const bool wrong_dy : {true, false})
    EXPECT_THROW(
        layernorm_backward(wrong_dy ? ConstMatrix(narrow.view()) : ConstMatrix(x.view()), x.view(), v.data(), v.data(),
                           v.data(), {}, wrong_dy ? Matrix(x.view()) : Matrix(narrow.view()), v.data(), v.data()),
        Error);
}

TEST(LayernormNumerics, ShapesThatDoNotMatchAreErrors) {
  GuardedMatrix x(3, 4), y(3, 5), v(1, 5);
  EXPECT_THROW(layernorm_forward(x.view(), v.data(), v.data(), kEps, y.view(), nullptr, nullptr), Error);
  EXPECT_THROW(layernorm_backward(y.view(), x.view(), v.data(), v.data(), v.data(), {}, x.view(), v.data(), v.data()),
               Error);
}

}  // namespace
}  // namespace vit
