// Passes over the elements of matrices and arrays, on the calling thread. They throw Error (internal) for shapes or
// types that do not match.
#pragma once

#include <cstdint>

#include "vit/core/matrix.h"

namespace vit {

/// y += x, `count` elements.
void add_to(const float* x, int64_t count, float* y);
/// y = x * s.
void scale(const float* x, int64_t count, float s, float* y);
/// y [M, D] = x [M, D] * gamma [D] (layer scale); y may be x.
void scale_columns(TensorView<const float> x, const float* gamma, TensorView<float> y);
/// sums [D] += column sums of x [M, D], fp32 or bf16, in row order.
void add_column_sums(ConstMatrix x, float* sums);
/// sums [D] += column sums of x * y, both [M, D], in row order.
void add_column_dots(TensorView<const float> x, TensorView<const float> y, float* sums);
/// Sum of squares in double, in a fixed order of blocks; not finite when an element is not.
double sum_of_squares(const float* x, int64_t count);

/// Largest |x| of fp32 or bf16; 0 for none, NaN when an element is NaN.
float max_abs(ConstMatrix x);

/// to [M, D] = from [M, D] in another type: fp32 to bf16 rounded to nearest even; bf16 to fp32; either to int8, times
/// `scale`, rounded to nearest even, at most 127 either way, NaN as 0. Equal types are copied.
void convert(ConstMatrix from, Matrix to, float scale = 1);

/// Where a dropout mask comes from: element i is dropped when philox({i / 4, stream...}, seed)[i % 4], as a
/// fraction of 2^32, is below `rate`. The same mask comes back in backward; nothing is stored.
struct DropoutMask {
  float rate = 0;  // 0 = keep all
  uint64_t seed = 0;
  uint64_t stream = 0;  // e.g. step, image and layer, mixed by the caller
};
/// y = x * mask / (1 - rate), both contiguous and of one type, fp32 or bf16; y may be x. Elements are counted row by
/// row: the first one has mask index `first`, a multiple of 4.
void dropout(ConstMatrix x, const DropoutMask& mask, int64_t first, Matrix y);

}  // namespace vit
