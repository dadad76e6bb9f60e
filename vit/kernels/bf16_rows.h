// What kernels for AVX512_BF16 are handed. They take no views and use no templates of others: what a source of that
// instruction set instantiates must not end up in other sources, which serve all processors.
#pragma once

#include <cstdint>

#include "vit/core/matrix.h"

namespace vit {

/// Two bf16 that follow each other along the depth of a product, in the place of a float.
using Bf16Pair = uint32_t;

/// A matrix of bf16 with its rows `stride` elements apart.
struct Bf16Rows {
  const BFloat16* data;
  int64_t stride, rows, cols;

  const BFloat16* row(int64_t r) const { return data + r * stride; }
  Bf16Rows slice(int64_t begin, int64_t count) const { return {row(begin), stride, count, cols}; }
};
/// The same rows; `m` is of bf16.
Bf16Rows bf16_rows(const ConstMatrix& m);

}  // namespace vit
