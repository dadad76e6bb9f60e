// Pictures: 8-bit RGB in a cv::Mat, decoded under limits.
//
// The order of colours: OpenCV's own functions give and take BGR, models want RGB. So a bare cv::Mat in a function that
// minds the order is BGR and says so in the parameter's name, RGB travels in an Image, and the functions below are the
// only way from one to the other. Functions that move or mix pixels whatever their colours (resize, warp, the
// operations of preprocess/augment) take and give a bare cv::Mat of three channels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core/mat.hpp>
#include <span>
#include <string_view>

#include "preprocess/picture_names.h"

namespace vit {

constexpr int64_t kMaxSide = int64_t{1} << 20;  // of any picture, as OpenCV limits it

/// A picture. A copy shares the pixels, as copies of a cv::Mat do; so nothing writes to those of a picture it was
/// given.
struct Image {
  Image() = default;  // not an aggregate: image_from_rgb and image_from_bgr say which order a cv::Mat has

  cv::Mat rgb;          // CV_8UC3; rows may lie apart, as those of a part of another picture do
  cv::Mat clipped;      // CV_8UC1, of gray files with more than 8 bits: all above 255 as 255; else empty
  int orientation = 1;  // of EXIF, 1 to 8: how a viewer would turn the rows; they lie here as they are stored
};

struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
};

struct DecodeLimits {
  int64_t max_bytes = int64_t{256} << 20;  // of the encoded file
  int64_t max_pixels = 178'956'970;        // Pillow's limit; checked from the header before memory is taken
};

/// Throws Error (usage) unless it is CV_8UC3 in two dimensions with sides of 1 .. kMaxSide.
void check_pixels(const cv::Mat& pixels);

/// A new CV_8UC3 of any values, rows without gaps. Throws std::bad_alloc.
cv::Mat new_pixels(int64_t width, int64_t height);

/// `rgb` with its pixels shared. Throws as check_pixels.
Image image_from_rgb(cv::Mat rgb);
/// From OpenCV's BGR, BGRA or gray, 8 or 16 bit (the upper byte), as cv::imread gives it. Throws Error (usage).
Image image_from_bgr(const cv::Mat& bgr);
/// For OpenCV's own functions; a copy.
cv::Mat bgr_from_image(const Image& image);

/// JPEG, PNG, BMP, WebP, TIFF and PNM, known by content; of several pictures in a file the first. The pixels are those
/// of Pillow's convert('RGB'); docs/formats.md says which kinds are refused and where the pixels differ on purpose.
/// What the choice of `decoding` (preprocess/config.h) may want instead comes along in `clipped`.
/// Throws Error (data) that names `name` and the fault: empty, truncated, not an image, too large, not read.
Image decode_image(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits = {});
Image read_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

/// Turned as its orientation says, which is then 1: Pillow's exif_transpose. Shares the pixels where nothing turns.
Image upright(const Image& image);

/// Width and height as the file's header states them (of a TIFF before it is turned); pixels are not looked at. Throws
/// as decode_image.
ImageSize stated_image_size(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits = {});

}  // namespace vit
