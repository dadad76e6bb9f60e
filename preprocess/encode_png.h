// Pictures as PNG files.
#pragma once

#include <cstdint>
#include <vector>

namespace cv {
class Mat;
}

namespace vit {

struct Image;

/// A PNG file of the smallest size that zlib finds. Throws Error.
std::vector<uint8_t> encode_png(const Image& image);
/// Of a drawing, of 1, 3 or 4 channels.
std::vector<uint8_t> encode_png(const cv::Mat& bgr);

}  // namespace vit
