#include "preprocess/resize_crop.h"

#include "preprocess/resample.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// (length - part) / 2, halves to the even neighbour, as Python's round does.
int64_t centre_offset(int64_t length, int64_t part) {
  const int64_t rest = length - part;
  const int64_t half = rest / 2;
  return rest % 2 == 0 ? half : half + half % 2;
}

void check_target(int64_t width, int64_t height) {
  if (width < 1 || height < 1) fail(ErrorKind::usage, "[resize] needs sides of at least 1, has ", width, " x ", height);
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

Image resize_crop(const Image& image, const PreprocessConfig& config) {
  if (config.exif_rotate && image.orientation != 1) return resize_crop(upright(image), config);
  const cv::Mat& rgb = image.rgb;
  if (config.rule == ResizeRule::squash)
    return image_from_rgb(resize(rgb, config.size, config.size, config.interpolation));
  check_pixels(rgb);
  check_target(config.size, config.size);
  // Pictures of small data sets have their size already.
  if (rgb.cols == config.size && rgb.rows == config.size && config.resize_size == config.size)
    return image_from_rgb(rgb);
  if (config.resize_size < config.size) {
    fail(ErrorKind::usage, "[resize_crop] resize_size must be at least size ", config.size, ", is ",
         config.resize_size);
  }
  // The longer side is cut to an integer, not rounded: torchvision and timm do so.
  const bool wide = rgb.cols > rgb.rows;
  const int64_t shorter = wide ? rgb.rows : rgb.cols;
  const int64_t longer = config.resize_size * (wide ? rgb.cols : rgb.rows) / shorter;
  const int64_t width = wide ? longer : config.resize_size;
  const int64_t height = wide ? config.resize_size : longer;
  const Window window{centre_offset(width, config.size), centre_offset(height, config.size), config.size, config.size};
  return image_from_rgb(resample(rgb, width, height, window, config.interpolation));
}

}  // namespace vit
