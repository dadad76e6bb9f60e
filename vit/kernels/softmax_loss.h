// Softmax and cross-entropy with label smoothing, as torch.nn.functional.cross_entropy computes it:
// target = (1 - s) onehot + s / C. All functions run on the calling thread.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

namespace vit {

/// Rows of p [M, C] = softmax of rows of x [M, C]; p may be x.
void softmax_forward(TensorView<const float> x, TensorView<float> p);

/// losses [M] = cross-entropy of each row of logits [M, C] with its label (0 <= label < C);
/// dlogits [M, C] = scale * d(loss of the row)/d(logits), skipped when null.
void cross_entropy(TensorView<const float> logits, const int32_t* labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits);

}  // namespace vit
