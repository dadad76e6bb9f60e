// Layer norm or RMS norm of each head's K numbers in rows of heads, for queries and keys: Dehghani et al.,
// arXiv:2302.05442; the norms are those of layernorm.h and rmsnorm.h. All functions run on the calling thread and throw
// Error (internal) for shapes or types that do not match.
#pragma once

#include <cstdint>

#include "vit/core/matrix.h"

namespace vit {

struct HeadNorm {
  enum class Kind { layer, rms };

  Kind kind = Kind::layer;
  int64_t head_size = 0;         // K
  const float* gamma = nullptr;  // [K], the same for all heads
  const float* beta = nullptr;   // [K], of a layer norm alone
  float eps = 1e-6f;
};

/// What backward needs of forward, [M, H] each; null where it is not wanted. RMS norm has no mean.
struct HeadMoments {
  float* mean = nullptr;
  float* rstd = nullptr;
};

/// y [M, H K] = the norm of each head of x, both of one type, fp32 or bf16; y may be x. Sums are in fp32.
void head_norm_forward(ConstMatrix x, const HeadNorm& norm, Matrix y, const HeadMoments& moments);

/// dx [M, H K] from dy, which it may be, and from x, the *input* of forward, all of one type; `moments` as forward
/// wrote them. dgamma and dbeta [K] (null for RMS norm) are added to, row by row and head by head.
void head_norm_backward(ConstMatrix dy, ConstMatrix x, const HeadNorm& norm, const HeadMoments& moments, Matrix dx,
                        float* dgamma, float* dbeta);

}  // namespace vit
