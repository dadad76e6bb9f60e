#include "vit/kernels/rotate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::as_float;
using test::expect_close;
using test::Guarded;
using test::GuardedMatrix;

constexpr RotaryPairs kBoth[] = {RotaryPairs::adjacent, RotaryPairs::halves};

template <class T>
constexpr test::Tolerance kTolerance = test::kFp32Elementwise;
template <>
constexpr test::Tolerance kTolerance<BFloat16> = test::kBf16Elementwise;

/// Cosines and sines of random angles, as floats.
struct Tables {
  GuardedMatrix cosine, sine;

  Tables(int64_t rows, int64_t pairs) : cosine(GuardedMatrix::random(rows, pairs, 3, 9, 4)), sine(rows, pairs, 5) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < pairs; ++k) {
        const float angle = cosine(r, k);
        cosine(r, k) = std::cos(angle);
        sine(r, k) = std::sin(angle);
      }
  }
  Rotation rotation(RotaryPairs pairs, bool inverse = false) const {
    return {pairs, cosine.view(), sine.view(), inverse};
  }
};

/// The numbers of x turned as complex ones, row by row.
template <class T>
std::vector<double> turned(const Guarded<T>& x, const Tables& tables, RotaryPairs kind, double sign) {
  const int64_t pairs = tables.cosine.cols();
  std::vector<double> want;
  for (int64_t r = 0; r < x.rows(); ++r)
    for (int64_t c = 0; c < x.cols(); ++c) {
      const int64_t head = c / (2 * pairs) * 2 * pairs, at = c - head;
      const bool adjacent = kind == RotaryPairs::adjacent;
      const int64_t k = adjacent ? at / 2 : at % pairs, second = adjacent ? at % 2 : at / pairs;
      const double a = static_cast<double>(as_float(x(r, head + (adjacent ? 2 * k : k))));
      const double b = static_cast<double>(as_float(x(r, head + (adjacent ? 2 * k + 1 : k + pairs))));
      const double cosine = double{tables.cosine(r, k)}, sine = sign * double{tables.sine(r, k)};
      want.push_back(second == 0 ? a * cosine - b * sine : b * cosine + a * sine);
    }
  return want;
}

template <class T>
void check_sizes() {
  for (RotaryPairs pairs : kBoth)
    for (int64_t size : {2, 6, 16, 24, 32, 64, 80, 100})
      for (int64_t heads : {1, 3})
        for (bool inverse : {false, true}) {
          const Tables tables(5, size / 2);
          auto x = Guarded<T>::random(5, heads * size, 7, 1);
          const auto want = turned(x, tables, pairs, inverse ? -1 : 1);
          rotate_rows(x.view(), tables.rotation(pairs, inverse));
          expect_close(x.values(), want, kTolerance<T>);
          EXPECT_TRUE(x.intact());
        }
}

TEST(RotateRows, MatchesTheDefinition) {
  test::for_each_target([] {
    check_sizes<float>();
    check_sizes<BFloat16>();
  });
}

// A quarter turn of the first pair, half a turn of the second.
TEST(RotateRows, PairsOfBothKinds) {
  const float cosine[] = {0, -1}, sine[] = {1, 0};
  const auto turned = [&](RotaryPairs pairs) {
    std::vector<float> x = {1, 2, 3, 4};
    rotate_rows(TensorView<float>(x.data(), {1, 4}), {pairs, {cosine, {1, 2}}, {sine, {1, 2}}});
    return x;
  };
  EXPECT_EQ(turned(RotaryPairs::adjacent), (std::vector<float>{-2, 1, -3, -4}));
  EXPECT_EQ(turned(RotaryPairs::halves), (std::vector<float>{-3, -2, 1, -4}));
}

TEST(RotateRows, InverseIsTheWayOfGradients) {
  const Tables tables(3, 12);
  for (RotaryPairs pairs : kBoth) {
    const auto x = GuardedMatrix::random(3, 48, 0, 1), dy = GuardedMatrix::random(3, 48, 0, 2);
    auto y = x, dx = dy;
    rotate_rows(y.view(), tables.rotation(pairs));
    rotate_rows(dx.view(), tables.rotation(pairs, true));
    double forward = 0, backward = 0;
    for (int64_t r = 0; r < 3; ++r)
      for (int64_t c = 0; c < 48; ++c) {
        forward += double{y(r, c)} * double{dy(r, c)};
        backward += double{x(r, c)} * double{dx(r, c)};
      }
    EXPECT_NEAR(forward, backward, 1e-5);
    EXPECT_GT(std::fabs(forward), 0.1);
    rotate_rows(y.view(), tables.rotation(pairs, true));
    expect_close(y.values(), x.values(), test::kFp32Elementwise);
  }
}

TEST(RotateRows, ARowAndAHeadDoNotDependOnTheOthers) {
  const Tables tables(4, 12);
  for (RotaryPairs pairs : kBoth) {
    const auto x = GuardedMatrix::random(4, 72, 0, 1);
    auto all = x, single = x;
    rotate_rows(all.view(), tables.rotation(pairs));
    for (int64_t r = 0; r < 4; ++r)
      for (int64_t head = 0; head < 3; ++head)
        rotate_rows(single.view().slice(r, 1).columns(24 * head, 24),
                    {pairs, tables.cosine.view().slice(r, 1), tables.sine.view().slice(r, 1)});
    EXPECT_EQ(single.values(), all.values());
  }
}

TEST(RotateRows, WrongShapesAreErrors) {
  const Tables tables(4, 6), fewer(3, 6);
  GuardedMatrix x(4, 24), odd(4, 20);
  Guarded<int8_t> bytes(4, 24);
  const RotaryPairs pairs = RotaryPairs::adjacent;
  EXPECT_NO_THROW(rotate_rows(x.view(), tables.rotation(pairs)));
  EXPECT_THROW(rotate_rows(odd.view(), tables.rotation(pairs)), Error);
  EXPECT_THROW(rotate_rows(x.view(), fewer.rotation(pairs)), Error);
  EXPECT_THROW(rotate_rows(bytes.view(), tables.rotation(pairs)), Error);
  EXPECT_THROW(rotate_rows(x.view(), {pairs, tables.cosine.view(), {}}), Error);
  EXPECT_THROW(rotate_rows(x.view(), {}), Error);
}

}  // namespace
}  // namespace vit
