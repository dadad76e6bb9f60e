// Geometry of evaluation: resize (antialiased when it shrinks) and centre crop.
#pragma once

#include "preprocess/config.h"
#include "preprocess/image.h"

namespace vit {

/// Antialiased resampling in two passes, horizontal then vertical, the filter's support grown with the reduction
/// (as Pillow does; OpenCV's own bilinear and bicubic alias). A picture that has the size already shares its pixels
/// with the result. Throws Error (usage) for sides out of range.
cv::Mat resize(const cv::Mat& picture, int64_t width, int64_t height, Interpolation interpolation);

/// The size x size pixels that the model takes, by the rule of the config; turned upright first where it says so. They
/// may be shared with `image`.
Image resize_crop(const Image& image, const PreprocessConfig& config);

}  // namespace vit
