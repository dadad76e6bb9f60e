// Values worked out in Python; that Pillow's pictures follow from them is in pixel_golden_test.cpp.
#include "preprocess/resample_filter.h"

#include <gtest/gtest.h>

#include <array>
#include <numbers>

#include "vit/core/error.h"

namespace vit {
namespace {

double weight_at(Interpolation interpolation, double x) {
  std::array<double, 1> out{};
  filter_of(interpolation).weigh(0, 0.5 - x, 1.0, out);
  return out[0];
}

TEST(ResampleFilter, HammingHasTheFloatsOfPillow) {
  EXPECT_NEAR(weight_at(Interpolation::hamming, 0.25), 0.7790159306449863, 1e-12);  // with 0.54 as a double: ...9060
  EXPECT_EQ(weight_at(Interpolation::hamming, 0), 1.0);
  EXPECT_EQ(weight_at(Interpolation::hamming, -1), 0.0);
}

TEST(ResampleFilter, LobesOfLanczosEndAtThree) {
  EXPECT_NEAR(weight_at(Interpolation::lanczos, 1.5), -4 / (3 * std::numbers::pi * std::numbers::pi), 1e-12);
  EXPECT_EQ(weight_at(Interpolation::lanczos, 3), 0.0);
  EXPECT_EQ(filter_of(Interpolation::lanczos).support, 3.0);
}

TEST(ResampleFilter, NearestWeighsNothing) { EXPECT_THROW(filter_of(Interpolation::nearest), Error); }

}  // namespace
}  // namespace vit
