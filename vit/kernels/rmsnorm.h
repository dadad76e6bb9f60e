// Root mean square normalisation over rows: y = x / sqrt(mean(x^2) + eps) * gamma. Zhang and Sennrich,
// arXiv:1910.07467. All functions run on the calling thread and throw Error (internal) when shapes do not match.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// x, y [M, D] (rows may be strided, y may be x where the types are equal); x is fp32 or bf16, y fp32, bf16 or int8:
/// rounded to nearest, at most 127 either way, its scale being part of gamma [D]. rstd [M], 1 / sqrt(mean(x^2) + eps),
/// is written for backward unless null.
void rmsnorm_forward(ConstMatrix x, const float* gamma, float eps, Matrix y, float* rstd);

/// dx [M, D] = gradient through the norm, plus `residual` [M, D] where given (dx may be dy or residual); dy, x and dx
/// are all fp32 or all bf16. dgamma [D] is added to, in row order.
void rmsnorm_backward(ConstMatrix dy, ConstMatrix x, const float* rstd, const float* gamma,
                      TensorView<const float> residual, Matrix dx, float* dgamma);

}  // namespace vit
