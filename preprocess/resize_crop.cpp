#include "preprocess/resize_crop.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <opencv2/core.hpp>
#include <utility>

#include "preprocess/opencv_setup.h"
#include "preprocess/resample.h"
#include "preprocess/resample_floats.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// Where a part of the middle begins; below 0 where it is larger, by the border before the whole.
int64_t centre_offset(int64_t length, int64_t part, CropRounding rounding) {
  const int64_t rest = length - part;
  const int64_t half = rest / 2;
  if (rest % 2 == 0) return half;
  if (rounding == CropRounding::floor) return rest > 0 ? half : half - 1;
  return rest > 0 ? half + half % 2 : half;  // Python's round; of borders the smaller half lies before
}

void check_target(int64_t width, int64_t height) {
  if (width < 1 || height < 1) fail(ErrorKind::usage, "[resize] needs sides of at least 1, has ", width, " x ", height);
}

/// What is resized to, and which part of that becomes the square; the part may reach over its edges.
struct Placement {
  int64_t width = 0, height = 0;
  Window window;
};

ImageSize resized_size(const cv::Mat& rgb, const PreprocessConfig& config) {
  const int64_t target = config.resize_size;
  switch (config.rule) {
    case ResizeRule::squash:
      return {config.size + config.trim, config.size + config.trim};
    case ResizeRule::squash_crop:
      return {target, target};
    case ResizeRule::shorter_side: {
      // The longer side is cut to an integer, not rounded: torchvision, timm and transformers do so.
      const bool wide = rgb.cols > rgb.rows;
      const int64_t longer = target * (wide ? rgb.cols : rgb.rows) / (wide ? rgb.rows : rgb.cols);
      return wide ? ImageSize{longer, target} : ImageSize{target, longer};
    }
    case ResizeRule::longer_side: {
      // In the order of timm's operations. A side that would vanish, which is an error there, stays a pixel.
      const double ratio = static_cast<double>(std::max(rgb.cols, rgb.rows)) / static_cast<double>(target);
      const auto side = [ratio](int length) { return std::max<int64_t>(1, std::llrint(length / ratio)); };
      return {side(rgb.cols), side(rgb.rows)};
    }
  }
  fail(ErrorKind::usage, "[resize_crop] unknown rule ", static_cast<int>(config.rule));
}

Placement place(const cv::Mat& rgb, const PreprocessConfig& config) {
  check_pixels(rgb);
  check_target(config.size, config.size);
  const int64_t square = config.size + config.trim;
  const bool needs_larger = config.rule == ResizeRule::shorter_side || config.rule == ResizeRule::squash_crop;
  if (needs_larger && !config.pad && config.resize_size < square)
    fail(ErrorKind::usage, "[resize_crop] resize_size must be at least size ", square, ", is ", config.resize_size);
  if (config.rule != ResizeRule::squash) check_target(config.resize_size, config.resize_size);
  const ImageSize whole = resized_size(rgb, config);
  return {whole.width,
          whole.height,
          {centre_offset(whole.width, square, config.crop_rounding),
           centre_offset(whole.height, square, config.crop_rounding), config.size, config.size}};
}

/// The part of the window that the picture covers.
Window covered(const Placement& placement) {
  const Window& window = placement.window;
  const int64_t left = std::max<int64_t>(window.left, 0), top = std::max<int64_t>(window.top, 0);
  return {left, top, std::min(window.left + window.width, placement.width) - left,
          std::min(window.top + window.height, placement.height) - top};
}

/// `part`, which is `inner`, in the place that it has in `window`; what it does not cover is `border`.
cv::Mat with_borders(const cv::Mat& part, const Window& inner, const Window& window, const cv::Scalar& border) {
  if (inner.width == window.width && inner.height == window.height) return part;
  setup_opencv();
  cv::Mat square(static_cast<int>(window.height), static_cast<int>(window.width), part.type(), border);
  part.copyTo(square(cv::Rect(static_cast<int>(inner.left - window.left), static_cast<int>(inner.top - window.top),
                              part.cols, part.rows)));
  return square;
}

cv::Scalar fill_of(const PreprocessConfig& config, double scale) {
  return {static_cast<double>(config.fill[0]) * scale, static_cast<double>(config.fill[1]) * scale,
          static_cast<double>(config.fill[2]) * scale};
}

}  // namespace

cv::Mat resize(const cv::Mat& picture, int64_t width, int64_t height, Interpolation interpolation) {
  check_pixels(picture);
  check_target(width, height);
  if (width > kMaxSide || height > kMaxSide) {
    fail(ErrorKind::usage, "[resize] needs sides of at most ", kMaxSide, ", has ", width, " x ", height);
  }
  return resample(picture, width, height, {0, 0, width, height}, interpolation);
}

Image source_picture(const Image& image, const PreprocessConfig& config) {
  Image source = image;
  if (config.decoding == Decoding::pillow && !image.clipped.empty()) {
    source.rgb = new_pixels(image.clipped.cols, image.clipped.rows);
    for (int y = 0; y < source.rgb.rows; ++y) {
      const uint8_t* gray = image.clipped.ptr(y);
      uint8_t* pixel = source.rgb.ptr(y);
      for (int x = 0; x < source.rgb.cols; ++x, pixel += 3) std::fill_n(pixel, 3, gray[x]);
    }
  }
  source.clipped = cv::Mat();
  return config.exif_rotate && image.orientation != 1 ? upright(source) : source;
}

Image resize_crop(const Image& image, const PreprocessConfig& config) {
  const cv::Mat rgb = source_picture(image, config).rgb;
  const Placement placement = place(rgb, config);
  const Window inner = covered(placement);
  const cv::Mat part = resample(rgb, placement.width, placement.height, inner, config.interpolation);
  return image_from_rgb(with_borders(part, inner, placement.window, fill_of(config, 1)));
}

cv::Mat resize_crop_floats(const Image& image, const PreprocessConfig& config) {
  const cv::Mat rgb = source_picture(image, config).rgb;
  const Placement placement = place(rgb, config);
  const Window inner = covered(placement);
  const cv::Mat part = resample_floats(rgb, placement.width, placement.height, inner, config.interpolation);
  return with_borders(part, inner, placement.window, fill_of(config, 1.0 / 255));
}

}  // namespace vit
