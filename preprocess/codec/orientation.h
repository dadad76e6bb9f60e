// EXIF orientations: 1 is upright, 2 to 8 say how to turn or mirror the stored rows.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <span>

namespace vit::codec {

/// The orientation that an EXIF block states; 1 when it states none, or none of 1 to 8.
int exif_orientation(std::span<const uint8_t> exif);

/// The picture as it is meant to be seen; with other numbers than 2 to 8 the same, its pixels shared.
cv::Mat turned_upright(const cv::Mat& picture, int orientation);

}  // namespace vit::codec
