// Passes over contiguous or row-strided floats, on the calling thread.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

namespace vit {

/// y += x, `count` elements.
void add_to(const float* x, int64_t count, float* y);
/// y = x * s.
void scale(const float* x, int64_t count, float s, float* y);
/// y [M, D] = x [M, D] * gamma [D] (layer scale); y may be x.
void scale_columns(TensorView<const float> x, const float* gamma, TensorView<float> y);
/// sums [D] += column sums of x [M, D], in row order.
void add_column_sums(TensorView<const float> x, float* sums);
/// sums [D] += column sums of x * y, both [M, D], in row order.
void add_column_dots(TensorView<const float> x, TensorView<const float> y, float* sums);
/// Sum of squares in double, in a fixed order of blocks; not finite when an element is not.
double sum_of_squares(const float* x, int64_t count);

/// Where a dropout mask comes from: element i is dropped when philox({i / 4, stream...}, seed)[i % 4], as a
/// fraction of 2^32, is below `rate`. The same mask comes back in backward; nothing is stored.
struct DropoutMask {
  float rate = 0;  // 0 = keep all
  uint64_t seed = 0;
  uint64_t stream = 0;  // e.g. step, image and layer, mixed by the caller
};
/// y = x * mask / (1 - rate), element i of `count` has mask index first + i; y may be x; first % 4 == 0.
void dropout(const float* x, int64_t count, const DropoutMask& mask, int64_t first, float* y);

}  // namespace vit
