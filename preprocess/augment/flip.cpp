// A mirror image, left for right.
#include <opencv2/core.hpp>

#include "preprocess/augment/operation.h"
#include "preprocess/opencv_setup.h"

namespace vit::augment_ops {

cv::Mat flip(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random) {
  if (random.uniform() >= config.flip) return picture;
  setup_opencv();
  constexpr int kLeftRight = 1;
  cv::Mat out;
  cv::flip(picture, out, kLeftRight);
  return out;
}

}  // namespace vit::augment_ops
