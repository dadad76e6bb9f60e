// Pictures as the model sees them before numbers: 8-bit RGB, decoded under limits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace cv {
class Mat;
}

namespace vit {

/// RGB8, rows of width*3 bytes, [height, width, 3].
struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;
};

struct DecodeLimits {
  int64_t max_bytes = int64_t{256} << 20;  // of the encoded file
  int64_t max_pixels = 178'956'970;        // Pillow's limit; checked from the header before memory is taken
};

/// Any format that OpenCV reads; gray is repeated, alpha dropped, palette and CMYK converted, 16-bit scaled to 8,
/// no EXIF rotation (as PIL's users get it). Throws Error (data) that names `name` and the fault:
/// empty, truncated, not an image, too large.
Image decode_image(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits = {});
Image read_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

/// From OpenCV's BGR, BGRA or gray, 8 or 16 bit, as cv::imread gives it.
Image image_from_bgr(const cv::Mat& mat);

/// True for a file name with the extension of a picture (jpg, jpeg, png, bmp, tif, tiff, webp, ppm, pgm, ...).
bool has_image_extension(const std::filesystem::path& path);

}  // namespace vit
