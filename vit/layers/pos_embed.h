// Position embeddings that are not learned: sine-cosine tables of one or two dimensions.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

namespace vit {

/// table [tokens, D]: position t, pair i: sin and cos of t / 10000^(2i/D), interleaved. Vaswani et al.,
/// arXiv:1706.03762, section 3.5. D must be even.
void sincos_1d(TensorView<float> table);

/// table [rows*cols, D]: the first half of a row encodes x, the second y, each as sines then cosines of
/// position / 10000^(4i/D); the table of MoCo v3 and of "Better plain ViT baselines", arXiv:2205.01580.
/// D must be divisible by 4.
void sincos_2d(int64_t rows, int64_t cols, TensorView<float> table);

}  // namespace vit
