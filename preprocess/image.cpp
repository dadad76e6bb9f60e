#include "preprocess/image.h"

#include <algorithm>
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

void check_length(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits) {
  const int64_t most = std::min<int64_t>(limits.max_bytes, INT32_MAX);
  if (bytes.empty()) fail(ErrorKind::data, "[decode_image] ", name, ": empty, has 0 bytes");
  if (std::ssize(bytes) > most)
    fail(ErrorKind::data, "[decode_image] ", name, ": too large: has ", bytes.size(), " bytes, the limit is ", most);
}

}  // namespace

void validate(const Image& image) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide) {
    fail(ErrorKind::usage, "[image] needs sides of 1 to ", kMaxSide, ", has ", image.width, " x ", image.height);
  }
  if (std::ssize(image.pixels) != image.width * image.height * 3) {
    fail(ErrorKind::usage, "[image] ", image.width, " x ", image.height, " needs ", image.width * image.height * 3,
         " bytes of RGB, has ", image.pixels.size());
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

Image upright(Image image) {
  const int orientation = std::exchange(image.orientation, 1);
  return codec::turned_upright(std::move(image), orientation);
}

Image read_image(const std::filesystem::path& path, const DecodeLimits& limits) {
  const std::string bytes = read_file(path, limits.max_bytes);
  return decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, path.string(), limits);
}

Image image_from_bgr(const cv::Mat& mat) {
  setup_opencv();
  if (mat.empty() || mat.dims != 2) fail(ErrorKind::usage, "[image_from_bgr] the matrix holds no picture");
  const int conversion = rgb_conversion(mat.channels());
  cv::Mat bytes = mat;
  if (mat.depth() == CV_16U) {
    bytes.create(mat.rows, mat.cols, CV_MAKETYPE(CV_8U, mat.channels()));
    for (int y = 0; y < mat.rows; ++y) {
      const auto* from = mat.ptr<uint16_t>(y);
      std::transform(from, from + mat.cols * mat.channels(), bytes.ptr<uint8_t>(y),
                     [](uint16_t v) { return static_cast<uint8_t>(v >> 8); });
    }
  } else if (mat.depth() != CV_8U) {
    fail(ErrorKind::usage, "[image_from_bgr] needs 8 or 16 unsigned bits a sample, has OpenCV depth ", mat.depth());
  }
  Image image{mat.cols, mat.rows, std::vector<uint8_t>(mat.total() * 3)};
  validate(image);
  cv::Mat rgb(mat.rows, mat.cols, CV_8UC3, image.pixels.data());
  cv::cvtColor(bytes, rgb, conversion);
  return image;
}

}  // namespace vit
