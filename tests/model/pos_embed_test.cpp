#include "vit/layers/pos_embed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace vit {
namespace {

// Values by hand from the formulas in the header.
TEST(PositionEmbedding, SineCosine1d) {
  std::vector<float> values(3 * 4);
  sincos_1d(TensorView<float>(values.data(), {3, 4}));
  const std::vector<double> want{0,
                                 1,
                                 0,
                                 1,
                                 std::sin(1),
                                 std::cos(1),
                                 std::sin(0.01),
                                 std::cos(0.01),
                                 std::sin(2),
                                 std::cos(2),
                                 std::sin(0.02),
                                 std::cos(0.02)};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(static_cast<double>(values[i]), want[i], 1e-7) << i;
}

TEST(PositionEmbedding, SineCosine2d) {
  constexpr int64_t kGrid = 3, kWidth = 8;
  std::vector<float> values(kGrid * kGrid * kWidth);
  const TensorView<float> table(values.data(), {kGrid * kGrid, kWidth});
  sincos_2d(kGrid, kGrid, table);
  // y = 1, x = 2; frequencies 1 and 1/100.
  const std::vector<double> want{std::sin(2), std::sin(0.02), std::cos(2), std::cos(0.02),
                                 std::sin(1), std::sin(0.01), std::cos(1), std::cos(0.01)};
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(static_cast<double>(table(1 * kGrid + 2, static_cast<int64_t>(i))), want[i], 1e-7) << i;
}

}  // namespace
}  // namespace vit
