#include "vit/kernels/rmsnorm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

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

constexpr float kEps = 1e-5f;

double rstd_of(const GuardedMatrix& x, int64_t row) {
  double squares = 0;
  for (int64_t c = 0; c < x.cols(); ++c) squares += double{x(row, c)} * double{x(row, c)};
  return 1 / std::sqrt(squares / static_cast<double>(x.cols()) + double{kEps});
}

struct Case {
  int64_t rows, cols, gap;
};

class Rmsnorm : public testing::TestWithParam<Case> {
 protected:
  Case c_ = GetParam();
  GuardedMatrix x_ = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 1, 2);
  GuardedMatrix gamma_ = GuardedMatrix::random(1, c_.cols, 0, 2);
  GuardedMatrix rstd_{1, c_.rows};

  std::vector<double> want() const {
    std::vector<double> y;
    for (int64_t r = 0; r < c_.rows; ++r)
      for (int64_t c = 0; c < c_.cols; ++c) y.push_back(double{x_(r, c)} * rstd_of(x_, r) * double{gamma_(0, c)});
    return y;
  }
};

TEST_P(Rmsnorm, Forward) {
  std::vector<double> rstds;
  for (int64_t r = 0; r < c_.rows; ++r) rstds.push_back(rstd_of(x_, r));
  test::for_each_target([&] {
    GuardedMatrix y(c_.rows, c_.cols, c_.gap), in_place = x_;
    rmsnorm_forward(x_.view(), gamma_.data(), kEps, y.view(), rstd_.data());
    rmsnorm_forward(in_place.view(), gamma_.data(), kEps, in_place.view(), nullptr);
    expect_close(y.values(), want(), kFp32);
    expect_close(rstd_.values(), rstds, kFp32);
    expect_close(in_place.values(), y.values(), kExact);
    EXPECT_TRUE(y.intact() && rstd_.intact());
  });
}

TEST_P(Rmsnorm, ForwardToNarrowTypes) {
  std::vector<double> want_int8 = want();
  for (double& v : want_int8) v = std::clamp(50 * v, -127.0, 127.0);
  auto gamma = gamma_;  // int8 has its scale in it: some values saturate
  for (int64_t c = 0; c < c_.cols; ++c) gamma(0, c) *= 50;
  test::for_each_target([&] {
    test::Guarded<BFloat16> y_bf16(c_.rows, c_.cols, c_.gap);
    test::Guarded<int8_t> y_int8(c_.rows, c_.cols, c_.gap);
    rmsnorm_forward(x_.view(), gamma_.data(), kEps, y_bf16.view(), nullptr);
    rmsnorm_forward(x_.view(), gamma.data(), kEps, y_int8.view(), nullptr);
    expect_close(y_bf16.values(), want(), test::kBf16Elementwise);
    expect_close(y_int8.values(), want_int8, test::kInt8Elementwise);
    EXPECT_TRUE(y_bf16.intact() && y_int8.intact());
  });
}

// bf16 rows are widened: the same numbers in fp32 give the same bits.
TEST_P(Rmsnorm, RowsOfBf16AreWidened) {
  test::for_each_target([&] {
    const auto narrow = test::Guarded<BFloat16>::random(c_.rows, c_.cols, c_.gap, 1, 2);
    auto narrow_dy = test::Guarded<BFloat16>::random(c_.rows, c_.cols, c_.gap, 4), in_place = narrow;
    GuardedMatrix x(c_.rows, c_.cols), dy = x, want = x, y = x, want_dgamma(1, c_.cols);
    want_dgamma.fill(0);
    auto dgamma = want_dgamma;
    convert(narrow.view(), x.view());
    convert(narrow_dy.view(), dy.view());
    rmsnorm_forward(x.view(), gamma_.data(), kEps, want.view(), rstd_.data());
    rmsnorm_forward(narrow.view(), gamma_.data(), kEps, y.view(), nullptr);
    expect_close(y.values(), want.values(), kExact);
    test::Guarded<BFloat16> rounded(c_.rows, c_.cols);
    convert(want.view(), rounded.view());
    rmsnorm_forward(in_place.view(), gamma_.data(), kEps, in_place.view(), nullptr);
    expect_close(in_place.values(), rounded.values(), kExact);
    rmsnorm_backward(dy.view(), x.view(), rstd_.data(), gamma_.data(), {}, dy.view(), want_dgamma.data());
    convert(dy.view(), rounded.view());
    rmsnorm_backward(narrow_dy.view(), narrow.view(), rstd_.data(), gamma_.data(), {}, narrow_dy.view(), dgamma.data());
    expect_close(narrow_dy.values(), rounded.values(), kExact);
    expect_close(dgamma.values(), want_dgamma.values(), kExact);
    EXPECT_TRUE(y.intact() && in_place.intact() && narrow_dy.intact());
  });
}

TEST_P(Rmsnorm, ARowDoesNotDependOnTheOthers) {
  GuardedMatrix all(c_.rows, c_.cols), one(1, c_.cols);
  rmsnorm_forward(x_.view(), gamma_.data(), kEps, all.view(), nullptr);
  for (int64_t r = 0; r < c_.rows; ++r) {
    rmsnorm_forward(x_.view().slice(r, 1), gamma_.data(), kEps, one.view(), nullptr);
    for (int64_t c = 0; c < c_.cols; ++c) EXPECT_EQ(one(0, c), all(r, c));
  }
}

TEST_P(Rmsnorm, Backward) {
  const auto dy = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 4);
  const auto residual = GuardedMatrix::random(c_.rows, c_.cols, c_.gap, 5);
  const auto before = GuardedMatrix::random(1, c_.cols, 0, 6);
  std::vector<double> want, want_plain, want_dgamma;
  for (float v : before.values()) want_dgamma.push_back(double{v});
  for (int64_t r = 0; r < c_.rows; ++r) {
    const double rstd = rstd_of(x_, r);
    double mean_gh = 0;
    for (int64_t c = 0; c < c_.cols; ++c) {
      const double h = double{x_(r, c)} * rstd;
      mean_gh += double{dy(r, c)} * double{gamma_(0, c)} * h / static_cast<double>(c_.cols);
      want_dgamma[static_cast<std::size_t>(c)] += double{dy(r, c)} * h;
    }
    for (int64_t c = 0; c < c_.cols; ++c) {
      const double g = double{dy(r, c)} * double{gamma_(0, c)};
      want_plain.push_back(rstd * (g - double{x_(r, c)} * rstd * mean_gh));
      want.push_back(want_plain.back() + double{residual(r, c)});
    }
  }
  test::for_each_target([&] {
    GuardedMatrix y(c_.rows, c_.cols), dx(c_.rows, c_.cols, c_.gap), in_place = dy;
    auto dgamma = before, ignored = before;
    rmsnorm_forward(x_.view(), gamma_.data(), kEps, y.view(), rstd_.data());
    rmsnorm_backward(dy.view(), x_.view(), rstd_.data(), gamma_.data(), residual.view(), dx.view(), dgamma.data());
    rmsnorm_backward(dy.view(), x_.view(), rstd_.data(), gamma_.data(), {}, in_place.view(), ignored.data());
    expect_close(dx.values(), want, kFp32);
    expect_close(in_place.values(), want_plain, kFp32);
    expect_close(dgamma.values(), want_dgamma, kFp32);
    EXPECT_TRUE(dx.intact() && dgamma.intact() && in_place.intact());
  });
}

TEST_P(Rmsnorm, GradientMatchesDifferences) {
  const auto dy = GuardedMatrix::random(c_.rows, c_.cols, 0, 4);
  GuardedMatrix y(c_.rows, c_.cols), dx(c_.rows, c_.cols), dgamma(1, c_.cols);
  dgamma.fill(0);
  rmsnorm_forward(x_.view(), gamma_.data(), kEps, y.view(), rstd_.data());
  rmsnorm_backward(dy.view(), x_.view(), rstd_.data(), gamma_.data(), {}, dx.view(), dgamma.data());
  const auto loss = [&](const GuardedMatrix& x, int64_t row) {
    double sum = 0;
    for (int64_t c = 0; c < x.cols(); ++c)
      sum += double{dy(row, c)} * double{x(row, c)} * rstd_of(x, row) * double{gamma_(0, c)};
    return sum;
  };
  for (int64_t c = 0; c < c_.cols; c += 1 + c_.cols / 8) {
    auto above = x_, below = x_;
    above(0, c) += 0x1p-8f;
    below(0, c) -= 0x1p-8f;
    const double step = double{above(0, c)} - double{below(0, c)};
    EXPECT_NEAR(double{dx(0, c)}, (loss(above, 0) - loss(below, 0)) / step, c_.cols == 1 ? 1e-2 : 1e-3) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Rmsnorm,
                         testing::Values(Case{1, 1, 0}, Case{3, 2, 1}, Case{2, 15, 0}, Case{5, 16, 3}, Case{9, 17, 0},
                                         Case{4, 64, 0}, Case{11, 100, 5}, Case{17, 192, 0}, Case{3, 770, 2}));

TEST(RmsnormErrors, WrongTypesAreErrors) {
  GuardedMatrix m(4, 8), gamma(1, 8), rstd(1, 4);
  test::Guarded<BFloat16> narrow(4, 8);
  test::Guarded<int8_t> bytes(4, 8);
  EXPECT_THROW(rmsnorm_forward(bytes.view(), gamma.data(), kEps, m.view(), nullptr), Error);
  EXPECT_THROW(rmsnorm_backward(narrow.view(), m.view(), rstd.data(), gamma.data(), {}, m.view(), gamma.data()), Error);
  EXPECT_THROW(rmsnorm_backward(m.view(), m.view(), rstd.data(), gamma.data(), {}, narrow.view(), gamma.data()), Error);
}

TEST(RmsnormErrors, WrongShapesAreErrors) {
  GuardedMatrix m(4, 8), other(5, 8), gamma(1, 8), rstd(1, 4);
  EXPECT_THROW(rmsnorm_forward(m.view(), gamma.data(), kEps, other.view(), nullptr), Error);
  EXPECT_THROW(rmsnorm_backward(other.view(), m.view(), rstd.data(), gamma.data(), {}, m.view(), gamma.data()), Error);
  EXPECT_THROW(rmsnorm_backward(m.view(), m.view(), rstd.data(), gamma.data(), other.view(), m.view(), gamma.data()),
               Error);
}

}  // namespace
}  // namespace vit
