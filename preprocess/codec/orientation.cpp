#include "preprocess/codec/orientation.h"

#include <algorithm>
#include <opencv2/core.hpp>

#include "preprocess/codec/byte_view.h"
#include "preprocess/opencv_setup.h"

namespace vit::codec {

int exif_orientation(std::span<const uint8_t> exif) {
  using namespace std::string_view_literals;
  constexpr int64_t kEntry = 12, kOrientation = 274;
  const ByteView file(exif, "", "EXIF");
  const bool little = file.has(0, "II*\0"sv);
  if (file.size() < 8 || (!little && !file.has(0, "MM\0*"sv))) return 1;
  const auto u16 = [&](int64_t at) { return little ? file.u16_le(at) : file.u16_be(at); };
  const int64_t directory = little ? file.u32_le(4) : file.u32_be(4);
  if (directory > file.size() - 2) return 1;
  const int64_t fields = std::min(u16(directory), (file.size() - directory - 2) / kEntry);
  for (int64_t entry = directory + 2; entry < directory + 2 + fields * kEntry; entry += kEntry) {
    if (u16(entry) != kOrientation) continue;
    const int64_t value = u16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

cv::Mat turned_upright(const cv::Mat& picture, int orientation) {
  constexpr int kLeftRight = 1, kTopBottom = 0;  // of cv::flip
  setup_opencv();
  cv::Mat out;
  switch (orientation) {
    case 2:
      cv::flip(picture, out, kLeftRight);
      return out;
    case 3:
      cv::rotate(picture, out, cv::ROTATE_180);
      return out;
    case 4:
      cv::flip(picture, out, kTopBottom);
      return out;
    case 5:
      cv::transpose(picture, out);
      return out;
    case 6:
      cv::rotate(picture, out, cv::ROTATE_90_CLOCKWISE);
      return out;
    case 7:  // about the other diagonal
      cv::transpose(picture, out);
      cv::rotate(out, out, cv::ROTATE_180);
      return out;
    case 8:
      cv::rotate(picture, out, cv::ROTATE_90_COUNTERCLOCKWISE);
      return out;
    default:
      return picture;
  }
}

}  // namespace vit::codec
