// Gaussian error linear unit: x Phi(x) by the error function, its tanh form, or the quick one, x / (1 + e^(-1.702 x)).
// Hendrycks and Gimpel, arXiv:1606.08415. All functions run on the calling thread, on matrices of one shape [M, D].
// They throw Error (internal) for another shape or type, or Activation::none.
#pragma once

#include "vit/core/matrix.h"
#include "vit/kernels/gemm.h"

namespace vit {

/// y = gelu(x), x fp32 or bf16, y fp32, bf16 or int8; y may be x where the types are equal. int8 is gelu(x) * scale
/// rounded to nearest, at most 127 either way, NaN as 0; the other types have no scale.
void gelu_forward(ConstMatrix x, Activation kind, Matrix y, float scale = 1);
/// dx = dy * gelu'(x), each fp32 or bf16; dx may be dy where the types are equal.
void gelu_backward(ConstMatrix dy, ConstMatrix x, Activation kind, Matrix dx);

}  // namespace vit
