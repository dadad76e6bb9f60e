// Cross-entropy of the softmax with label smoothing, as torch.nn.functional.cross_entropy computes it:
// target = (1 - s) onehot + s / C (Szegedy et al., arXiv:1512.00567), and the same for mixed targets. Runs on the
// calling thread. All functions throw Error (internal) for shapes that do not match and labels that are no class.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

namespace vit {

/// losses [M] = cross-entropy of each row of logits [M, C] with its label (0 <= label < C);
/// dlogits [M, C] = scale * d(loss of the row)/d(logits), skipped when null; it may be logits.
void cross_entropy(TensorView<const float> logits, const int32_t* labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits);

/// Two labels a row, as mixing two samples makes them (Zhang et al., arXiv:1710.09412): the loss of a row is
/// w CE(first) + (1 - w) CE(second). With w = 1 it has the bits of the first label alone.
struct LabelPairs {
  const int32_t* first;   // [M]
  const int32_t* second;  // [M]
  const float* weight;    // [M], w, 0 to 1
};
void cross_entropy(TensorView<const float> logits, const LabelPairs& labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits);

/// The same for targets [M, C] of any numbers, the distribution of another model for example: the loss of a row is
/// -sum t log softmax(x), t = (1 - s) target + s / C. Classes of target 0 may have logits of -inf.
void cross_entropy_soft(TensorView<const float> logits, TensorView<const float> targets, float label_smoothing,
                        float scale, float* losses, TensorView<float> dlogits);

}  // namespace vit
