// OpenCV's reader and writer of picture files, loaded when first used: with them come some 120 libraries (GDAL and what
// it wants), which cost a process 60 ms and 30 MB at its start.
#pragma once

#include <opencv2/core.hpp>
#include <span>
#include <vector>

namespace vit {

/// The picture in BGR, as it lies in the file (no turning by EXIF); empty when it cannot be decoded. Throws Error (io)
/// when the library cannot be loaded.
cv::Mat decode_bgr(std::span<const unsigned char> bytes);
/// `bgr` as a PNG file of the smallest size that zlib finds. Throws Error.
std::vector<unsigned char> encode_png(const cv::Mat& bgr);

}  // namespace vit
