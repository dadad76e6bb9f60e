// OpenCV's reader and writer of picture files, loaded when first used: with them come some 120 libraries (GDAL and what
// it wants), which cost a process 60 ms and 30 MB at its start.
#pragma once

#include <opencv2/core.hpp>
#include <span>
#include <vector>

namespace vit {

/// cv::imdecode. Throws Error (io) when the library cannot be loaded.
cv::Mat imdecode(std::span<const unsigned char> bytes, int flags);
/// `bgr` as a PNG file of the smallest size that zlib finds. Throws Error.
std::vector<unsigned char> encode_png(const cv::Mat& bgr);

}  // namespace vit
