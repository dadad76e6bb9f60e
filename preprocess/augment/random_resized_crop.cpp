// A part of the source picture, of random area and shape: Szegedy et al., "Going deeper with convolutions" (CVPR 2015),
// with the numbers and the tries of torchvision's RandomResizedCrop.
#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

#include "preprocess/augment/operation.h"

namespace vit::augment_ops {
namespace {

/// The largest part in the middle whose width over height is within [1 / stretch, stretch].
cv::Rect middle(const cv::Size& size, double stretch) {
  const int width = std::min(size.width, static_cast<int>(std::lrint(size.height * stretch)));
  const int height = std::min(size.height, static_cast<int>(std::lrint(size.width * stretch)));
  return {(size.width - width) / 2, (size.height - height) / 2, width, height};
}

/// Draws area and shape, and of a part that fits its top and left; others are drawn again, at last the middle is taken.
cv::Rect random_part(const cv::Size& size, double least_area, double stretch, RandomStream& random) {
  constexpr int kTries = 10;
  const auto draw = [&](double low, double high) { return low + (high - low) * static_cast<double>(random.uniform()); };
  for (int i = 0; i < kTries; ++i) {
    const double area = draw(least_area, 1) * size.width * size.height;
    const double shape = std::exp(draw(-std::log(stretch), std::log(stretch)));
    const auto width = static_cast<int>(std::lrint(std::sqrt(area * shape)));
    const auto height = static_cast<int>(std::lrint(std::sqrt(area / shape)));
    if (width < 1 || height < 1 || width > size.width || height > size.height) continue;
    const auto top = static_cast<int>(random.below(static_cast<uint64_t>(size.height - height + 1)));
    const auto left = static_cast<int>(random.below(static_cast<uint64_t>(size.width - width + 1)));
    return {left, top, width, height};
  }
  return middle(size, stretch);
}

}  // namespace

cv::Mat random_resized_crop(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random) {
  return picture(random_part(picture.size(), static_cast<double>(config.random_resized_crop),
                             static_cast<double>(config.random_resized_crop_ratio), random));
}

}  // namespace vit::augment_ops
