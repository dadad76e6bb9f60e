#include "preprocess/patchify.h"

#include "preprocess/image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

void check(const cv::Mat& square, int64_t patch_size, const TensorView<float>& rows) {
  const int64_t width = square.cols, height = square.rows;
  if (patch_size < 1 || width % patch_size != 0 || height % patch_size != 0) {
    fail(ErrorKind::usage, "[patchify] patch size must divide the sides ", width, " x ", height, ", is ", patch_size);
  }
  const int64_t patches = (width / patch_size) * (height / patch_size);
  const int64_t patch_dim = 3 * patch_size * patch_size;
  if (rows.rank() != 2 || rows.rows() != patches || rows.cols() != patch_dim || rows.stride(1) != 1) {
    fail(ErrorKind::usage, "[patchify] rows must be [", patches, ", ", patch_dim,
         "] with contiguous rows, are of rank ", rows.rank(),
         rows.rank() == 2 ? concat(", [", rows.rows(), ", ", rows.cols(), "]") : "");
  }
}

}  // namespace

PixelTable::PixelTable(const PreprocessConfig& config) {
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) values_[c][v] = (static_cast<float>(v) / 255.0f - config.mean[c]) / config.std[c];
  }
}

void patchify(const Image& image, const PixelTable& table, int64_t patch_size, TensorView<float> rows) {
  check_pixels(image.rgb);
  check(image.rgb, patch_size, rows);
  const float* red = table.channel(0).data();
  const float* green = table.channel(1).data();
  const float* blue = table.channel(2).data();
  const int64_t across = image.rgb.cols / patch_size, plane = patch_size * patch_size;
  for (int64_t y = 0; y < image.rgb.rows; ++y) {
    const uint8_t* pixel = image.rgb.ptr(static_cast<int>(y));
    for (int64_t patch = 0; patch < across; ++patch) {
      float* out = rows[y / patch_size * across + patch].data() + y % patch_size * patch_size;
      for (int64_t x = 0; x < patch_size; ++x, pixel += 3) {
        out[x] = red[pixel[0]];
        out[x + plane] = green[pixel[1]];
        out[x + 2 * plane] = blue[pixel[2]];
      }
    }
  }
}

void patchify(const Image& image, const PreprocessConfig& config, int64_t patch_size, TensorView<float> rows) {
  if (image.rgb.cols != config.size || image.rgb.rows != config.size) {
    fail(ErrorKind::usage, "[patchify] needs an image of ", config.size, " x ", config.size, ", has ", image.rgb.cols,
         " x ", image.rgb.rows);
  }
  patchify(image, PixelTable(config), patch_size, rows);
}

void patchify_floats(const cv::Mat& square, const PreprocessConfig& config, int64_t patch_size,
                     TensorView<float> rows) {
  if (square.type() != CV_32FC3) fail(ErrorKind::usage, "[patchify] needs a cv::Mat of type CV_32FC3");
  check(square, patch_size, rows);
  const int64_t across = square.cols / patch_size, plane = patch_size * patch_size;
  for (int64_t y = 0; y < square.rows; ++y) {
    const auto* pixel = square.ptr<float>(static_cast<int>(y));
    for (int64_t patch = 0; patch < across; ++patch) {
      float* out = rows[y / patch_size * across + patch].data() + y % patch_size * patch_size;
      for (int64_t x = 0; x < patch_size; ++x, pixel += 3)
        for (int64_t c = 0; c < 3; ++c) {
          const auto i = static_cast<size_t>(c);
          out[x + c * plane] = (pixel[c] - config.mean[i]) / config.std[i];
        }
    }
  }
}

}  // namespace vit
