#include "vit/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::kFp32;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Elementwise, AddAndScaleAtEveryLength) {
  for (int64_t n = 0; n <= 70; ++n) {
    const auto x = GuardedMatrix::random(1, n, 0, 1);
    auto sum = GuardedMatrix::random(1, n, 0, 2), scaled = GuardedMatrix(1, n);
    std::vector<float> want_sum, want_scaled;
    for (int64_t i = 0; i < n; ++i) {
      want_sum.push_back(sum(0, i) + x(0, i));
      want_scaled.push_back(x(0, i) * 0.3f);
    }
    add_to(x.data(), n, sum.data());
    scale(x.data(), n, 0.3f, scaled.data());
    expect_close(sum.values(), want_sum, kExact);
    expect_close(scaled.values(), want_scaled, kExact);
    EXPECT_TRUE(sum.intact() && scaled.intact());
  }
}

TEST(Elementwise, ScaleColumns) {
  for (int64_t cols : {1, 5, 16, 37, 192}) {
    const auto x = GuardedMatrix::random(3, cols, 2, 1), gamma = GuardedMatrix::random(1, cols, 0, 2);
    GuardedMatrix y(3, cols, 1), in_place = x;
    scale_columns(x.view(), gamma.data(), y.view());
    scale_columns(in_place.view(), gamma.data(), in_place.view());
    std::vector<float> want;
    for (int64_t r = 0; r < 3; ++r)
      for (int64_t c = 0; c < cols; ++c) want.push_back(x(r, c) * gamma(0, c));
    expect_close(y.values(), want, kExact);
    expect_close(in_place.values(), want, kExact);
    EXPECT_TRUE(y.intact() && in_place.intact());
  }
}

TEST(Elementwise, ColumnSumsAreInRowOrder) {
  for (int64_t rows : {0, 1, 3, 4, 5, 9, 130})
    for (int64_t cols : {1, 10, 16, 37, 192}) {
      const auto x = GuardedMatrix::random(rows, cols, 2, 1), y = GuardedMatrix::random(rows, cols, 1, 2);
      auto sums = GuardedMatrix::random(1, cols, 0, 3), dots = sums;
      std::vector<float> want_sums;
      std::vector<double> want_dots;
      for (int64_t c = 0; c < cols; ++c) {
        want_sums.push_back(sums(0, c));
        want_dots.push_back(double{dots(0, c)});
        for (int64_t r = 0; r < rows; ++r) {
          want_sums.back() += x(r, c);
          want_dots.back() += double{x(r, c)} * double{y(r, c)};
        }
      }
      add_column_sums(x.view(), sums.data());
      add_column_dots(x.view(), y.view(), dots.data());
      expect_close(sums.values(), want_sums, kExact);
      expect_close(dots.values(), want_dots, kFp32);
      EXPECT_TRUE(sums.intact() && dots.intact());
    }
}

TEST(SumOfSquares, KeepsDoublePrecision) {
  for (int64_t n : {0, 1, 3, 8, 31, 32, 33, 1000}) {
    const auto x = GuardedMatrix::random(1, n, 0, 1);
    double want = 0;
    for (float v : x.values()) want += double{v} * double{v};
    EXPECT_NEAR(sum_of_squares(x.data(), n), want, 1e-12 * want);
  }
  const std::vector<float> huge(100, 3e38f);  // squares beyond float
  EXPECT_NEAR(sum_of_squares(huge.data(), 100) / (100 * double{3e38f} * double{3e38f}), 1, 1e-12);
}

TEST(SumOfSquares, IsNotFiniteWhenAnElementIsNot) {
  for (float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()})
    for (int64_t at : {0, 5, 40, 66}) {
      auto x = GuardedMatrix::random(1, 67, 0, 1);
      x(0, at) = bad;
      EXPECT_FALSE(std::isfinite(sum_of_squares(x.data(), 67)));
    }
}

bool dropped(const DropoutMask& mask, int64_t index) {
  const auto block = static_cast<uint64_t>(index) / 4;
  const auto low = [](uint64_t v) { return static_cast<uint32_t>(v); };
  const auto words = philox4x32({low(block), low(block >> 32), low(mask.stream), low(mask.stream >> 32)},
                                {low(mask.seed), low(mask.seed >> 32)});
  return static_cast<double>(words[static_cast<std::size_t>(index % 4)]) < static_cast<double>(mask.rate) * 0x1p32;
}

TEST(Dropout, MaskIsTheScalarPhiloxOne) {
  const DropoutMask mask{.rate = 0.3f, .seed = 0x123456789ABCDEF0, .stream = 0x0FEDCBA987654321};
  for (int64_t n : {0, 1, 3, 4, 15, 16, 17, 63, 64, 65, 1000})
    // The last one carries from the counter's low word into its high word.
    for (int64_t first : {int64_t{0}, int64_t{12}, int64_t{1} << 33, (int64_t{1} << 34) - 40}) {
      const auto x = GuardedMatrix::random(1, n, 0, 1);
      GuardedMatrix y(1, n), in_place = x;
      dropout(x.view(), mask, first, y.view());
      dropout(in_place.view(), mask, first, in_place.view());
      const float factor = 1 / (1 - mask.rate);
      std::vector<float> want;
      for (int64_t i = 0; i < n; ++i) want.push_back(x(0, i) * (dropped(mask, first + i) ? 0 : factor));
      expect_close(y.values(), want, kExact);
      expect_close(in_place.values(), want, kExact);
      EXPECT_TRUE(y.intact() && in_place.intact());
    }
}

TEST(Dropout, KeepsTheMeanAndDropsItsShare) {
  const std::vector<float> ones(100000, 1.0f);
  std::vector<float> y(ones.size());
  dropout(TensorView(ones.data(), {1, 100000}), {.rate = 0.1f, .seed = 1}, 0, TensorView(y.data(), {1, 100000}));
  double sum = 0, zeros = 0;
  for (float v : y) {
    sum += double{v};
    zeros += v == 0;
  }
  EXPECT_NEAR(zeros / 1e5, 0.1, 0.005);  // five standard deviations
  EXPECT_NEAR(sum / 1e5, 1.0, 0.006);
}

TEST(Dropout, NotANumberIsNotHidden) {
  const std::vector<float> x(64, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> y(64);
  dropout(TensorView(x.data(), {1, 64}), {.rate = 0.5f}, 0, TensorView(y.data(), {1, 64}));
  for (float v : y) EXPECT_TRUE(std::isnan(v));
}

TEST(Dropout, RateZeroCopies) {
  const auto x = GuardedMatrix::random(1, 33, 0, 1);
  GuardedMatrix y(1, 33);
  dropout(x.view(), {}, 0, y.view());
  expect_close(y.values(), x.values(), kExact);
}

TEST(Dropout, BadArgumentsAreErrors) {
  float zeros[4] = {};
  const TensorView<float> x(zeros, {1, 4});
  EXPECT_THROW(dropout(x, {.rate = 1.0f}, 0, x), Error);
  EXPECT_THROW(dropout(x, {.rate = -0.1f}, 0, x), Error);
  EXPECT_THROW(dropout(x, {.rate = std::numeric_limits<float>::quiet_NaN()}, 0, x), Error);
  EXPECT_THROW(dropout(x, {.rate = 0.1f}, 2, x), Error);
}

}  // namespace
}  // namespace vit
