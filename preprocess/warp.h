// Geometric distortion of a picture: where each output pixel looks in the source.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <vector>

#include "vit/core/rng.h"

namespace vit {

/// About the centre of the picture: shear along x, then scale, then rotation (clockwise), then shift in pixels.
struct Affine {
  double degrees = 0;
  double shift_x = 0, shift_y = 0;
  double scale = 1;
  double shear = 0;  // degrees
};

/// Source x = m[0] x + m[1] y + m[2], source y = m[3] x + m[4] y + m[5] of output pixel (x, y); pixel centres lie at
/// whole numbers.
std::array<double, 6> inverse_matrix(const Affine& affine, int64_t width, int64_t height);

/// For each pixel how far the lookup moves, in pixels.
struct Displacement {
  std::vector<float> x, y;  // [height, width] each, or both empty: none
};

/// Smoothed noise of root mean square `amplitude` on each axis, which varies over `sigma` pixels.
Displacement random_displacement(int64_t width, int64_t height, float amplitude, float sigma, RandomStream& random);

/// Bilinear lookup at the matrix's place plus the displacement; black outside.
cv::Mat warp(const cv::Mat& picture, const std::array<double, 6>& matrix, const Displacement& displacement);

}  // namespace vit
