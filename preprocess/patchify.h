// Pixels to patch rows.
#pragma once

#include <array>

#include "preprocess/config.h"
#include "vit/core/tensor_view.h"

namespace cv {
class Mat;
}

namespace vit {

struct Image;

/// (v / 255 - mean[c]) / std[c] in float for the 256 values of a pixel, in the order of operations that torchvision's
/// ToTensor and Normalize have, so that not even the last bit differs.
class PixelTable {
 public:
  explicit PixelTable(const PreprocessConfig& config);
  const std::array<float, 256>& channel(int c) const { return values_[static_cast<size_t>(c)]; }

 private:
  std::array<std::array<float, 256>, 3> values_;
};

/// rows [patches, 3*P*P] = (pixel / 255 - mean) / std, patches row-major over the picture, values inside a patch in
/// (channel, y, x) order, as a P x P convolution of stride P reads them. The image is size x size, P divides size.
void patchify(const Image& image, const PreprocessConfig& config, int64_t patch_size, TensorView<float> rows);
/// The same with a table made before, for an image of any size that P divides.
void patchify(const Image& image, const PixelTable& table, int64_t patch_size, TensorView<float> rows);

/// Of floats in 0..1 (CV_32FC3, RGB) instead of bytes: (value - mean) / std.
void patchify_floats(const cv::Mat& square, const PreprocessConfig& config, int64_t patch_size, TensorView<float> rows);

}  // namespace vit
