// Maximum of windows of pictures, channel by channel, as torch.nn.functional.max_pool2d. All functions run on the
// calling thread and throw Error (internal) for shapes or types that do not match.
#pragma once

#include "vit/core/matrix.h"
#include "vit/kernels/windows.h"

namespace vit {

/// y [B H' W', C] from x [B H W, C], both fp32 or both bf16; what is outside the picture does not count, NaN does.
/// winners [B H' W', C], int8, has the place ky side + kx of each maximum, the first of equal ones; null where there is
/// no backward.
void max_pool_forward(ConstMatrix x, const Windows& windows, Matrix y, Matrix winners);

/// dx [B H W, C] from dy [B H' W', C], each fp32 or bf16: each pixel has the gradients of the maxima that it was.
void max_pool_backward(ConstMatrix dy, const Windows& windows, ConstMatrix winners, Matrix dx);

}  // namespace vit
