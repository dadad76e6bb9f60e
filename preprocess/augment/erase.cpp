// A rectangle of noise: random erasing, Zhong et al. (AAAI 2020), 2 % to 33 % of the area, sides 0.3 to 3.3 to one.
#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

#include "preprocess/augment/operation.h"

namespace vit::augment_ops {

/// Shapes that do not fit are drawn again, and after some tries the picture stays whole.
cv::Mat erase(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random) {
  constexpr int kTries = 10;
  constexpr float kLeastArea = 0.02f, kMostArea = 0.33f, kMostStretch = 3.3f;
  if (random.uniform() >= config.erase) return picture;
  for (int i = 0; i < kTries; ++i) {
    const float area = random.uniform(kLeastArea, kMostArea) * static_cast<float>(picture.total());
    const float stretch = std::exp(random.uniform(-std::log(kMostStretch), std::log(kMostStretch)));
    const int64_t height = std::llround(std::sqrt(area * stretch));
    const int64_t width = std::llround(std::sqrt(area / stretch));
    if (width < 1 || height < 1 || width >= picture.cols || height >= picture.rows) continue;
    const auto top = static_cast<int>(random.below(static_cast<uint64_t>(picture.rows - height + 1)));
    const auto left = static_cast<int>(random.below(static_cast<uint64_t>(picture.cols - width + 1)));
    cv::Mat out = picture.clone();
    for (int y = top; y < top + height; ++y)
      std::generate_n(out.ptr(y, left), width * 3, [&] { return static_cast<uint8_t>(random.next_u32() >> 24); });
    return out;
  }
  return picture;
}

}  // namespace vit::augment_ops
