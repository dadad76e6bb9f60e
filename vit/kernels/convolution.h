// Convolutions as products: the windows of pictures as rows, and back. Chellapilla et al., "High performance
// convolutional neural networks for document processing", 2006. All functions run on the calling thread and throw Error
// (internal) for shapes or types that do not match.
#pragma once

#include "vit/core/matrix.h"
#include "vit/kernels/windows.h"

namespace vit {

/// columns [B H' W', C side side] from x [B H W, C], each fp32 or bf16: a row has the window of an output pixel, zeros
/// where it is outside the picture, in the order (c, ky, kx) of PyTorch's weight [O, C, side, side]. So a convolution
/// is columns times the weight read as [O, C side side].
void im2col(ConstMatrix x, const Windows& windows, Matrix columns);

/// The transpose: dx [B H W, C] = for each pixel the sum of what dcolumns has of it, added in fp32; each fp32 or bf16.
void col2im(ConstMatrix dcolumns, const Windows& windows, Matrix dx);

}  // namespace vit
