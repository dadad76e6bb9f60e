// Antialiased resampling of floats, as torch.nn.functional.interpolate does it with antialias=True: the weights of
// resample.h in single precision, nothing rounded in between.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>

#include "preprocess/config.h"
#include "preprocess/resample.h"

namespace vit {

/// The part `window` of `picture` (CV_8UC3), as bytes times 1/255, resized to width x height: CV_32FC3. No more than
/// that part is computed. Throws Error (usage) for a filter that is neither bilinear nor bicubic.
cv::Mat resample_floats(const cv::Mat& picture, int64_t width, int64_t height, const Window& window,
                        Interpolation interpolation);

}  // namespace vit
