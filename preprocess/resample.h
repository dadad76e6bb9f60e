// Antialiased resampling of 8-bit RGB with Pillow's arithmetic, integer for integer: filter weights of 22 fractional
// bits, a horizontal and then a vertical pass, each rounded to 8 bits. Integers make it the same on every machine.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>

#include "preprocess/config.h"

namespace vit {

/// A rectangle of pixels.
struct Window {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// The part `window` of `picture` resized to width x height; no more than that part is computed. Rows may lie
/// apart (a part of another picture). Where no side changes, the result shares the pixels.
cv::Mat resample(const cv::Mat& picture, int64_t width, int64_t height, const Window& window,
                 Interpolation interpolation);

}  // namespace vit
