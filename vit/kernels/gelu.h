// Gaussian error linear unit: x Phi(x) by the error function, or its tanh form. Hendrycks and Gimpel,
// arXiv:1606.08415. All functions run on the calling thread; x, y, dy, dx are `count` contiguous elements.
#pragma once

#include <cstdint>

#include "vit/kernels/gemm.h"

namespace vit {

/// y = gelu(x); kind gelu_erf or gelu_tanh. y may be x.
void gelu_forward(const float* x, int64_t count, Activation kind, float* y);
/// dx = dy * gelu'(x); dx may be dy.
void gelu_backward(const float* dy, const float* x, int64_t count, Activation kind, float* dx);

}  // namespace vit
