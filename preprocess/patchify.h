// Pixels to patch rows.
#pragma once

#include "preprocess/config.h"
#include "preprocess/image.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// rows [patches, 3*P*P] = (pixel / 255 - mean) / std, patches row-major over the picture, values inside a patch in
/// (channel, y, x) order, as a P x P convolution of stride P reads them. The image is size x size, P divides size.
void patchify(const Image& image, const PreprocessConfig& config, int64_t patch_size, TensorView<float> rows);

}  // namespace vit
