#include "vit/kernels/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/tolerance.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

TensorView<const float> matrix(const std::vector<float>& values, int64_t rows) {
  return {values.data(), {rows, static_cast<int64_t>(values.size()) / rows}};
}

TEST(Quantize, RowsHaveTheirOwnScaleAndRoundToEven) {
  const std::vector<float> weight{127, -254, 1, 3, 0, 0, 0, 0, 1e-3f, -4e-4f, 0, 2.5e-4f};
  const QuantizedRows rows = quantize_rows(matrix(weight, 3));
  EXPECT_EQ(rows.scales, (std::vector<float>{2, 1, 1e-3f / 127}));
  // 127/2 and 1/2 and 3/2 lie halfway.
  const std::vector<int8_t> expected{64, -127, 0, 2, 0, 0, 0, 0, 127, -51, 0, 32};
  EXPECT_EQ(std::vector<int8_t>(rows.values.span().begin(), rows.values.span().end()), expected);
}

TEST(Quantize, WhatWasReadBackHasTheSameValues) {
  RandomStream random(3, RandomPurpose::test);
  std::vector<float> weight(40 * 96);
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = random.normal() * std::pow(10.0f, static_cast<float>(i / 96) - 36);
  const QuantizedRows rows = quantize_rows(matrix(weight, 40));
  std::vector<float> back(weight.size());
  dequantize_rows({rows.values.data(), {40, 96}}, rows.scales, {back.data(), {40, 96}});
  for (std::size_t i = 0; i < back.size(); ++i)
    EXPECT_EQ(back[i], static_cast<float>(rows.values[static_cast<int64_t>(i)]) * rows.scales[i / 96]);
  const QuantizedRows again = quantize_rows(matrix(back, 40));
  for (int64_t i = 0; i < rows.values.size(); ++i) ASSERT_EQ(again.values[i], rows.values[i]) << "element " << i;
}

TEST(Quantize, RowsTooSmallForAScaleAreZero) {
  const QuantizedRows rows = quantize_rows(matrix({1e-38f, -1e-40f}, 1));
  EXPECT_EQ(rows.scales[0], 1);
  EXPECT_EQ(rows.values[0], 0);
  EXPECT_EQ(rows.values[1], 0);
}

TEST(Quantize, ScalesMustFitTheRows) {
  std::vector<float> out(4);
  const std::vector<int8_t> values(4);
  EXPECT_THROW(dequantize_rows({values.data(), {2, 2}}, std::vector<float>{1}, {out.data(), {2, 2}}), Error);
}

}  // namespace
}  // namespace vit
