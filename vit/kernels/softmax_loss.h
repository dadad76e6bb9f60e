// Cross-entropy of the softmax with label smoothing, as torch.nn.functional.cross_entropy computes it:
// target = (1 - s) onehot + s / C. Runs on the calling thread.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

namespace vit {

/// losses [M] = cross-entropy of each row of logits [M, C] with its label (0 <= label < C);
/// dlogits [M, C] = scale * d(loss of the row)/d(logits), skipped when null.
void cross_entropy(TensorView<const float> logits, const int32_t* labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits);

}  // namespace vit
