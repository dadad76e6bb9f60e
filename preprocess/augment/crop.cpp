// A random crop of the old size out of a picture with a black border: the picture moved by whole pixels.
#include <opencv2/core.hpp>

#include "preprocess/augment/operation.h"
#include "preprocess/image.h"

namespace vit::augment_ops {

/// Draws y, then x.
cv::Mat crop(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random) {
  const int64_t padding = config.crop_padding;
  const auto offset = [&] {
    return static_cast<int>(padding) - static_cast<int>(random.below(static_cast<uint64_t>(2 * padding + 1)));
  };
  const int dy = offset();
  const cv::Point move(offset(), dy);
  const cv::Rect whole({0, 0}, picture.size());
  const cv::Rect seen = whole & (whole + move);
  cv::Mat out = new_pixels(picture.cols, picture.rows);
  out = cv::Scalar::all(0);
  if (!seen.empty()) picture(seen - move).copyTo(out(seen));
  return out;
}

}  // namespace vit::augment_ops
