// Pictures as the model sees them before numbers: 8-bit RGB, decoded under limits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "preprocess/picture_names.h"

namespace cv {
class Mat;
}

namespace vit {

constexpr int64_t kMaxSide = int64_t{1} << 20;  // of any picture, as OpenCV limits it

/// RGB8, rows of width*3 bytes, [height, width, 3].
struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;
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

/// Throws Error (usage) unless the sides are 1 .. kMaxSide and pixels holds width * height * 3 bytes.
void validate(const Image& image);

/// JPEG, PNG, BMP, WebP, TIFF and PNM, known by content; of several pictures in a file the first. The pixels are those
/// of Pillow's convert('RGB'); docs/formats.md says which kinds are refused and where the pixels differ on purpose.
/// Throws Error (data) that names `name` and the fault: empty, truncated, not an image, too large, not read.
Image decode_image(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits = {});
Image read_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

/// Turned as its orientation says, which is then 1: Pillow's exif_transpose.
Image upright(Image image);

/// Width and height as the file's header states them (of a TIFF before it is turned); pixels are not looked at. Throws
/// as decode_image.
ImageSize stated_image_size(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits = {});

/// From OpenCV's BGR, BGRA or gray, 8 or 16 bit (the upper byte), as cv::imread gives it. Throws Error (usage).
Image image_from_bgr(const cv::Mat& mat);

}  // namespace vit
