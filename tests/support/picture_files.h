// Small pictures and their lossless files.
#pragma once

#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "tests/support/pixels.h"

namespace vit::test {

/// Every byte follows from `seed`, and neighbours differ.
inline Image small_picture(int64_t width, int64_t height, int seed) {
  std::vector<uint8_t> pixels(static_cast<std::size_t>(width * height * 3));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(37 * static_cast<int>(i) + 101 * seed);
  return image_of(width, height, pixels);
}

inline std::string png_of(const Image& image) {
  std::vector<uint8_t> file;
  cv::imencode(".png", bgr_from_image(image), file);
  return {file.begin(), file.end()};
}

}  // namespace vit::test
