// Small pictures and their lossless files.
#pragma once

#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>
#include <vector>

#include "preprocess/image.h"

namespace vit::test {

/// Every byte follows from `seed`, and neighbours differ.
inline Image small_picture(int64_t width, int64_t height, int seed) {
  Image image{width, height, std::vector<uint8_t>(static_cast<std::size_t>(width * height * 3))};
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>(37 * static_cast<int>(i) + 101 * seed);
  return image;
}

inline std::string png_of(const Image& image) {
  std::vector<uint8_t> bgr = image.pixels;
  for (std::size_t i = 0; i < bgr.size(); i += 3) std::swap(bgr[i], bgr[i + 2]);
  const cv::Mat mat(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3, bgr.data());
  std::vector<uint8_t> file;
  cv::imencode(".png", mat, file);
  return {file.begin(), file.end()};
}

}  // namespace vit::test
