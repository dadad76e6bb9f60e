#include "preprocess/image.h"

#include <algorithm>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <utility>

#include "preprocess/codec/codecs.h"
#include "preprocess/codec/orientation.h"
#include "preprocess/opencv_setup.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

int rgb_conversion(int channels) {
  switch (channels) {
    case 1:
      return cv::COLOR_GRAY2RGB;
    case 3:
      return cv::COLOR_BGR2RGB;
    case 4:
      return cv::COLOR_BGRA2RGB;
    default:
      fail(ErrorKind::usage, "[image_from_bgr] needs 1, 3 or 4 channels, has ", channels);
  }
}

/// Of 16-bit samples.
cv::Mat upper_bytes(const cv::Mat& wide) {
  cv::Mat bytes(wide.rows, wide.cols, CV_MAKETYPE(CV_8U, wide.channels()));
  for (int y = 0; y < wide.rows; ++y) {
    const auto* from = wide.ptr<uint16_t>(y);
    std::transform(from, from + wide.cols * wide.channels(), bytes.ptr<uint8_t>(y),
                   [](uint16_t v) { return static_cast<uint8_t>(v >> 8); });
  }
  return bytes;
}

/// Of 16-bit gray.
cv::Mat clipped_bytes(const cv::Mat& wide) {
  cv::Mat bytes(wide.rows, wide.cols, CV_8UC1);
  for (int y = 0; y < wide.rows; ++y)
    std::transform(wide.ptr<uint16_t>(y), wide.ptr<uint16_t>(y) + wide.cols, bytes.ptr<uint8_t>(y),
                   [](uint16_t v) { return static_cast<uint8_t>(std::min<uint16_t>(v, 255)); });
  return bytes;
}

void check_length(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  const int64_t most = std::min<int64_t>(limits.max_bytes, INT32_MAX);
  if (bytes.empty()) fail(ErrorKind::data, "[decode_image] ", name, ": empty, has 0 bytes");
  if (std::ssize(bytes) > most)
    fail(ErrorKind::data, "[decode_image] ", name, ": too large: has ", bytes.size(), " bytes, the limit is ", most);
}

}  // namespace

void check_pixels(const cv::Mat& pixels) {
  if (pixels.dims > 2 || (!pixels.empty() && pixels.type() != CV_8UC3))
    fail(ErrorKind::usage, "[image] needs a cv::Mat of two dimensions and type CV_8UC3, has ", pixels.dims, " and ",
         cv::typeToString(pixels.type()));
  if (pixels.cols < 1 || pixels.rows < 1 || pixels.cols > kMaxSide || pixels.rows > kMaxSide)
    fail(ErrorKind::usage, "[image] needs sides of 1 to ", kMaxSide, ", has ", pixels.cols, " x ", pixels.rows);
}

cv::Mat new_pixels(int64_t width, int64_t height) {
  try {
    return cv::Mat(static_cast<int>(height), static_cast<int>(width), CV_8UC3);
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
    throw;
  }
}

ImageSize stated_image_size(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  check_length(bytes, name, limits);
  return codec::stated_size(bytes, name, limits);
}

Image decode_image(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  check_length(bytes, name, limits);
  return codec::decode(bytes, name, limits);
}

Image upright(const Image& image) {
  Image turned = image_from_rgb(codec::turned_upright(image.rgb, image.orientation));
  if (!image.clipped.empty()) turned.clipped = codec::turned_upright(image.clipped, image.orientation);
  return turned;
}

Image read_image(const std::filesystem::path& path, const DecodeLimits& limits) {
  const std::string bytes = read_file(path, limits.max_bytes);
  return decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, path.string(), limits);
}

Image image_from_rgb(cv::Mat rgb) {
  check_pixels(rgb);
  Image image;
  image.rgb = std::move(rgb);
  return image;
}

Image image_from_bgr(const cv::Mat& bgr) {
  setup_opencv();
  if (bgr.empty() || bgr.dims != 2) fail(ErrorKind::usage, "[image_from_bgr] the matrix holds no picture");
  const int conversion = rgb_conversion(bgr.channels());
  cv::Mat bytes = bgr;
  if (bgr.depth() == CV_16U) {
    bytes = upper_bytes(bgr);
  } else if (bgr.depth() != CV_8U) {
    fail(ErrorKind::usage, "[image_from_bgr] needs 8 or 16 unsigned bits a sample, has OpenCV depth ", bgr.depth());
  }
  cv::Mat rgb;
  cv::cvtColor(bytes, rgb, conversion);
  Image image = image_from_rgb(std::move(rgb));
  if (bgr.type() == CV_16UC1) image.clipped = clipped_bytes(bgr);
  return image;
}

cv::Mat bgr_from_image(const Image& image) {
  setup_opencv();
  check_pixels(image.rgb);
  cv::Mat bgr;
  cv::cvtColor(image.rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

}  // namespace vit
