// Pictures and the bytes of their pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "preprocess/image.h"

namespace vit::test {

/// Row by row, without gaps.
inline std::vector<uint8_t> pixels_of(const cv::Mat& picture) {
  std::vector<uint8_t> bytes;
  for (int y = 0; y < picture.rows; ++y) {
    const uint8_t* row = picture.ptr(y);
    bytes.insert(bytes.end(), row, row + static_cast<size_t>(picture.cols) * picture.elemSize());
  }
  return bytes;
}
inline std::vector<uint8_t> pixels_of(const Image& image) { return pixels_of(image.rgb); }

/// RGB [height, width, 3].
inline Image image_of(int64_t width, int64_t height, const std::vector<uint8_t>& bytes) {
  cv::Mat rgb = new_pixels(width, height);
  std::copy_n(bytes.begin(), rgb.total() * 3, rgb.data);
  return image_from_rgb(std::move(rgb));
}

}  // namespace vit::test
