#include "vit/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

using test::expect_close;
using test::Guarded;
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

// Values where rounding is a matter of a bit, ties and what is not finite among them.
std::vector<float> corner_values() {
  std::vector<float> values;
  for (uint32_t upper : {0x0000u, 0x0001u, 0x3F80u, 0x3F81u, 0x4049u, 0x7F7Fu, 0x7F80u, 0x7FFFu})
    for (uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      for (uint32_t sign : {0u, 0x80000000u}) values.push_back(std::bit_cast<float>(sign | upper << 16 | lower));
  for (float v = -130; v <= 130; v += 0.25f) values.push_back(v);
  return values;
}

template <class T>
Guarded<T> row_of(const std::vector<float>& values, int64_t count) {
  Guarded<T> x(1, count);
  for (int64_t i = 0; i < count; ++i) test::assign(x(0, i), values[static_cast<std::size_t>(i)]);
  return x;
}

TEST(Convert, ToBf16RoundsAsTheScalarFunction) {
  const auto values = corner_values();
  test::for_each_target([&] {
    for (int64_t n = static_cast<int64_t>(values.size()), k = 0; k < 70 && k <= n; ++k) {
      const auto x = row_of<float>(values, n - k);
      Guarded<BFloat16> y(1, n - k);
      convert(x.view(), y.view());
      for (int64_t i = 0; i < n - k; ++i) EXPECT_EQ(y(0, i).bits, to_bf16(x(0, i)).bits) << x(0, i);
      EXPECT_TRUE(y.intact());
    }
  });
}

TEST(Convert, ToFloatIsExact) {
  test::for_each_target([&] {
    for (int64_t cols = 0; cols <= 70; ++cols) {
      const auto x = Guarded<BFloat16>::random(3, cols, 1, 1);
      Guarded<float> y(3, cols, 2);
      convert(x.view(), y.view());
      expect_close(y.values(), x.values(), kExact);
      EXPECT_TRUE(y.intact());
    }
  });
}

template <class T>
void check_to_int8(const Guarded<T>& x, float scale) {
  Guarded<int8_t> y(x.rows(), x.cols(), 1);
  convert(x.view(), y.view(), scale);
  std::vector<float> want;  // the scale is a power of two, so the product is exact
  for (float v : x.values())
    want.push_back(std::isnan(v) ? 0.0f : std::clamp(std::nearbyint(v * scale), -127.0f, 127.0f));
  expect_close(y.values(), want, kExact);
  EXPECT_TRUE(y.intact());
}

TEST(Convert, ToInt8RoundsAndSaturates) {
  const auto values = corner_values();
  const auto n = static_cast<int64_t>(values.size());
  test::for_each_target([&] {
    for (float scale : {1.0f, 2.0f, 0.5f}) {
      check_to_int8(row_of<float>(values, n), scale);
      check_to_int8(row_of<BFloat16>(values, n), scale);
    }
    for (int64_t cols = 0; cols <= 70; ++cols) {
      check_to_int8(Guarded<float>::random(2, cols, 3, 1), 32);
      check_to_int8(Guarded<BFloat16>::random(2, cols, 3, 1), 32);
    }
  });
}

TEST(Convert, OfOneTypeCopies) {
  const auto x = Guarded<BFloat16>::random(3, 21, 2, 1);
  Guarded<BFloat16> y(3, 21, 5);
  convert(x.view(), y.view());
  expect_close(y.values(), x.values(), kExact);
  Guarded<int8_t> small(2, 2, 1), copy(2, 2);
  for (int64_t i = 0; i < 4; ++i) small(i / 2, i % 2) = static_cast<int8_t>(i - 2);
  convert(small.view(), copy.view());
  expect_close(copy.values(), small.values(), kExact);
  EXPECT_TRUE(y.intact() && copy.intact());
}

TEST(Convert, WrongArgumentsAreErrors) {
  Guarded<int8_t> small(2, 3);
  Guarded<float> x(2, 3), other(3, 2);
  EXPECT_THROW(convert(small.view(), x.view()), Error);
  EXPECT_THROW(convert(x.view(), other.view()), Error);
}

template <class T>
void check_max_abs() {
  for (int64_t cols = 0; cols <= 70; ++cols) {
    auto x = Guarded<T>::random(3, cols, 2, 1);
    float want = 0;
    for (float v : x.values()) want = std::max(want, std::fabs(v));
    EXPECT_EQ(max_abs(x.view()), want);
    if (cols == 0) continue;
    test::assign(x(2, cols - 1), -1000);
    EXPECT_EQ(max_abs(x.view()), 1000);
    test::assign(x(1, cols / 2), -kInfinity);
    EXPECT_EQ(max_abs(x.view()), kInfinity);
    test::assign(x(0, 0), -std::numeric_limits<float>::quiet_NaN());
    EXPECT_TRUE(std::isnan(max_abs(x.view())));
  }
}

TEST(MaxAbs, FindsTheLargest) {
  test::for_each_target([&] {
    check_max_abs<float>();
    check_max_abs<BFloat16>();
  });
}

TEST(Elementwise, ColumnSumsOfBf16AreInRowOrder) {
  for (int64_t rows : {0, 1, 5, 130})
    for (int64_t cols : {1, 16, 37, 192}) {
      const auto x = Guarded<BFloat16>::random(rows, cols, 2, 1);
      auto sums = GuardedMatrix::random(1, cols, 0, 3);
      auto want = sums.values();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c) want[static_cast<std::size_t>(c)] += to_float(x(r, c));
      add_column_sums(x.view(), sums.data());
      expect_close(sums.values(), want, kExact);
      EXPECT_TRUE(sums.intact());
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

TEST(Dropout, Bf16HasTheSameMask) {
  const DropoutMask mask{.rate = 0.3f, .seed = 1, .stream = 2};
  for (int64_t n : {1, 15, 16, 17, 64, 1000}) {
    const auto x = Guarded<BFloat16>::random(2, n, 0, 1);
    Guarded<BFloat16> y(2, n);
    auto in_place = x;
    dropout(x.view(), mask, 8, y.view());
    dropout(in_place.view(), mask, 8, in_place.view());
    const auto values = x.values();
    std::vector<float> want;
    for (int64_t i = 0; i < 2 * n; ++i) {
      const float factor = dropped(mask, 8 + i) ? 0 : 1 / (1 - mask.rate);
      want.push_back(to_float(to_bf16(values[static_cast<std::size_t>(i)] * factor)));
    }
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
  Guarded<BFloat16> other(1, 4);
  GuardedMatrix strided(2, 3, 1);
  EXPECT_THROW(dropout(x, {.rate = 0.1f}, 0, other.view()), Error);
  EXPECT_THROW(dropout(strided.view(), {.rate = 0.1f}, 0, strided.view()), Error);
}

}  // namespace
}  // namespace vit
