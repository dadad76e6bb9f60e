// The one table of tolerances, and the comparison that uses it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <span>

namespace vit::test {

/// |got - want| <= abs + rel * |want|.
struct Tolerance {
  double abs = 0;
  double rel = 0;
};

// Relative to sums of a few hundred products of magnitude about 1.
inline constexpr Tolerance kExact{0, 0};
inline constexpr Tolerance kFp32Elementwise{1e-6, 1e-6};  // exp, gelu, softmax: a few ulp
inline constexpr Tolerance kBf16Elementwise{7e-5, 5e-3};  // the same in bf16, one rounding: half of 2^-7
inline constexpr Tolerance kInt8Elementwise{0.51, 0};     // one rounding to an integer
inline constexpr Tolerance kFp32{1e-5, 1e-5};             // one product or norm
inline constexpr Tolerance kFp32Network{1e-4, 1e-4};      // through many layers
inline constexpr Tolerance kFp32Gradient{5e-5, 5e-5};     // sums over rows
inline constexpr Tolerance kBf16{2e-2, 1e-2};             // 8 bits of mantissa in, fp32 sums
inline constexpr Tolerance kInt8{6e-2, 5e-2};

/// Fails with the first element beyond the tolerance (NaN is always beyond), the worst one, and how much of the
/// limit it used.
template <class Got, class Want>
testing::AssertionResult is_close(std::span<const Got> got, std::span<const Want> want, Tolerance tolerance) {
  if (got.size() != want.size())
    return testing::AssertionFailure() << "needs " << want.size() << " elements, has " << got.size();
  std::size_t bad = 0, first = 0, worst = 0;
  double worst_share = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    if (g == w) continue;
    const double error = std::fabs(g - w), limit = tolerance.abs + tolerance.rel * std::fabs(w);
    const bool comparable = std::isfinite(g) && std::isfinite(w);
    if (!(comparable && error <= limit) && bad++ == 0) first = i;
    const double share = comparable && limit > 0 ? error / limit : HUGE_VAL;
    if (share > worst_share) {
      worst_share = share;
      worst = i;
    }
  }
  if (bad == 0) return testing::AssertionSuccess() << 100 * worst_share << " % of the limit used";
  return testing::AssertionFailure() << bad << " of " << got.size() << " elements beyond the limit; first at " << first
                                     << ": " << got[first] << ", wanted " << want[first] << "; worst at " << worst
                                     << ": " << got[worst] << ", wanted " << want[worst] << ", " << 100 * worst_share
                                     << " % of the limit";
}

template <class Got, class Want>
void expect_close(const Got& got, const Want& want, Tolerance tolerance) {
  EXPECT_TRUE(is_close(std::span<const typename Got::value_type>(got), std::span<const typename Want::value_type>(want),
                       tolerance));
}

}  // namespace vit::test
