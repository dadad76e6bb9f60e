// The gradient of a Linear's parameters, on the calling thread only.
#pragma once

#include "vit/core/matrix.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// dw [O, I] += dy^T x and, unless null, dbias [O] += the sums of dy's columns; dy [M, O] and x [M, I] both fp32 or
/// both bf16, sums in fp32. Rows may be strided. The order of each sum depends on the shapes alone. Throws Error
/// (internal) when shapes or types do not match.
void add_weight_gradient(ConstMatrix dy, ConstMatrix x, TensorView<float> dw, float* dbias);

}  // namespace vit
