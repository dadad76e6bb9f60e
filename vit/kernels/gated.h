// SwiGLU, the gated form of an MLP's hidden layer: silu(gate) * value, silu(x) = x / (1 + e^-x). Shazeer,
// arXiv:2002.05202. All functions run on the calling thread and throw Error (internal) for shapes or types that do not
// match.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// y [M, F] from hidden [M, 2F], fp32 or bf16, a row of which has its gates first and then its values; y is fp32, bf16
/// or int8: times `scale`, rounded to nearest, at most 127 either way, NaN as 0; the other types have no scale. y may
/// be the gates where the types are equal.
void swiglu_forward(ConstMatrix hidden, Matrix y, float scale = 1);

/// dhidden [M, 2F] from dy [M, F] and the hidden of forward, each fp32 or bf16; dhidden may be hidden where the types
/// are equal.
void swiglu_backward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden);

}  // namespace vit
