// Layer normalisation over rows: y = (x - mean) / sqrt(var + eps) * gamma + beta, biased variance, two passes
// over a row in cache. Ba et al., arXiv:1607.06450. All functions run on the calling thread.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// x, y [M, D] (rows may be strided, y may be x where the types are equal); x is fp32 or bf16, y fp32, bf16 or int8:
/// rounded to nearest, at most 127 either way, its scale being part of gamma and beta [D]. mean and rstd [M] are
/// written for backward unless null. Throws Error (internal) when shapes or types do not match.
void layernorm_forward(ConstMatrix x, const float* gamma, const float* beta, float eps, Matrix y, float* mean,
                       float* rstd);

/// dx [M, D] = gradient through the norm, plus `residual` [M, D] where given (dx may be dy or residual); dy, x and dx
/// are all fp32 or all bf16. dgamma, dbeta [D] are added to, in row order.
void layernorm_backward(ConstMatrix dy, ConstMatrix x, const float* mean, const float* rstd, const float* gamma,
                        TensorView<const float> residual, Matrix dx, float* dgamma, float* dbeta);

}  // namespace vit
