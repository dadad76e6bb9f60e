// Root mean square normalisation over rows: y = x / sqrt(mean(x^2) + eps) * gamma. Zhang and Sennrich,
// arXiv:1910.07467. All functions run on the calling thread and throw Error (internal) when shapes do not match.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// x, y [M, D] (rows may be strided, y may be x); y is fp32, bf16 or int8: rounded to nearest, at most 127 either way,
/// its scale being part of gamma [D]. rstd [M], 1 / sqrt(mean(x^2) + eps), is written for backward unless null.
void rmsnorm_forward(TensorView<const float> x, const float* gamma, float eps, Matrix y, float* rstd);

/// dx [M, D] = gradient through the norm, plus `residual` [M, D] where given (dx may be dy or residual); dgamma [D] is
/// added to, in row order.
void rmsnorm_backward(TensorView<const float> dy, TensorView<const float> x, const float* rstd, const float* gamma,
                      TensorView<const float> residual, TensorView<float> dx, float* dgamma);

}  // namespace vit
