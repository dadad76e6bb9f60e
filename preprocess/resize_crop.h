// Geometry of evaluation: resize (antialiased when it shrinks), then centre crop or borders.
#pragma once

#include "preprocess/config.h"
#include "preprocess/image.h"

namespace vit {

/// Antialiased resampling in two passes, horizontal then vertical, the filter's support grown with the reduction
/// (as Pillow does; OpenCV's own bilinear and bicubic alias). A picture that has the size already shares its pixels
/// with the result. Throws Error (usage) for sides out of range.
cv::Mat resize(const cv::Mat& picture, int64_t width, int64_t height, Interpolation interpolation);

/// The picture that a rule begins with: decoded as the config chooses and, where it says so, turned upright. Shares the
/// pixels where that changes nothing.
Image source_picture(const Image& image, const PreprocessConfig& config);

/// The size x size pixels that the model takes, by the rule of the config, from source_picture(image). They may be
/// shared with `image`. Of a rule that resizes floats these are bytes, for people to look at; the model's own numbers
/// are those of resize_crop_floats.
Image resize_crop(const Image& image, const PreprocessConfig& config);

/// The same for a rule that resizes floats: CV_32FC3, RGB in about 0..1 (bicubic overshoots).
cv::Mat resize_crop_floats(const Image& image, const PreprocessConfig& config);

}  // namespace vit
