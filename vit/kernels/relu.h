// Rectified linear unit: Nair and Hinton, ICML 2010. All functions run on the calling thread, on matrices of one shape
// [M, D] and of fp32 or bf16 each. They throw Error (internal) for another shape or type.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// y = x where it is above 0, else 0; NaN stays. y may be x.
void relu_forward(ConstMatrix x, Matrix y);
/// dx = dy where y, the result of forward, is above 0, else 0; dx may be dy.
void relu_backward(ConstMatrix dy, ConstMatrix y, Matrix dx);

}  // namespace vit
