// Between strided matrices and the padded, cache-aligned copies that the products read. Included by attention.cpp
// after <hwy/highway.h>, once per target, so the guard toggles.
#if defined(VIT_KERNELS_ATTENTION_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_ATTENTION_PACK_INL_H_
#undef VIT_KERNELS_ATTENTION_PACK_INL_H_
#else
#define VIT_KERNELS_ATTENTION_PACK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "vit/core/tensor_view.h"
#include "vit/kernels/micro_gemm_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace attention {

namespace hn = hwy::HWY_NAMESPACE;
using micro::F32;
using micro::Rows;

/// Calls body(d, c) for vectors that cover n columns exactly: whole ones, then halves down to a single lane.
template <class Body, class D = F32>
HWY_INLINE void ForColumns(int64_t n, Body body, int64_t c = 0, D d = D()) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; c + lanes <= n; c += lanes) body(d, c);
  if constexpr (hn::MaxLanes(D()) > 1)
    if (c < n) ForColumns(n, body, c, hn::Half<D>());
}

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE void TransposeFour(const float* from, int64_t /*stride*/, float scale, Rows<float> to) {
  for (int64_t c = 0; c < 4; ++c) to.row(c)[0] = scale * from[c];
}

#else

/// Four columns of Lanes(d) rows as four vectors: 4x4 blocks are transposed where they lie.
template <class D>
HWY_INLINE hn::Vec<D> LoadBlockColumn(D d, const float* block, int64_t stride) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    static_cast<void>(stride);
    return hn::LoadU(d, block);
  } else {
    // Block j of the vector is from row 4 j.
    const hn::Half<D> half;
    const int64_t rows = static_cast<int64_t>(hn::Lanes(half));
    return hn::Combine(d, LoadBlockColumn(half, block + rows * stride, stride), LoadBlockColumn(half, block, stride));
  }
}

/// to.row(c)[i] = scale * from[i * stride + c] for c < 4 and i < Lanes.
HWY_INLINE void TransposeFour(const float* from, int64_t stride, float scale, Rows<float> to) {
  const F32 d;
  const hn::Repartition<double, F32> pairs;
  const auto factor = hn::Set(d, scale);
  const auto row0 = LoadBlockColumn(d, from, stride), row1 = LoadBlockColumn(d, from + stride, stride);
  const auto row2 = LoadBlockColumn(d, from + 2 * stride, stride), row3 = LoadBlockColumn(d, from + 3 * stride, stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, row0, row1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, row2, row3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, row0, row1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, row2, row3));
  const auto store = [&](int64_t c, auto v) { hn::StoreU(hn::Mul(hn::BitCast(d, v), factor), d, to.row(c)); };
  store(0, hn::InterleaveLower(pairs, low01, low23));
  store(1, hn::InterleaveUpper(pairs, low01, low23));
  store(2, hn::InterleaveLower(pairs, high01, high23));
  store(3, hn::InterleaveUpper(pairs, high01, high23));
}

#endif  // HWY_TARGET

/// Fewer rows or columns than a block of TransposeFour has: through a block of zeros.
HWY_INLINE void TransposeCorner(const float* from, int64_t stride, int64_t rows, int64_t cols, float scale,
                                Rows<float> to) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  HWY_ALIGN float padded[16 * 4] = {};
  HWY_ALIGN float turned[4 * 16];
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * stride, cols, padded + 4 * r);
  TransposeFour(padded, 4, scale, {turned, lanes});
  for (int64_t c = 0; c < cols; ++c) std::copy_n(turned + c * lanes, lanes, to.row(c));
}

/// to [cols, rows] = scale * transpose(from [rows, cols]), its rows padded with zeros to whole vectors. The last
/// blocks overlap those before them.
HWY_NOINLINE void PackTransposed(TensorView<const float> from, float scale, Rows<float> to) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t rows = from.rows(), cols = from.cols(), stride = from.stride(0);
  if (rows >= lanes && rows % lanes != 0)
    for (int64_t c = 0; c < cols; ++c) hn::StoreU(hn::Zero(d), d, to.row(c) + rows / lanes * lanes);
  for (int64_t row = 0; row < rows; row += lanes) {
    const int64_t r = std::max<int64_t>(0, std::min(row, rows - lanes));
    for (int64_t col = 0; col < cols; col += 4) {
      const int64_t c = std::max<int64_t>(0, std::min(col, cols - 4));
      const float* block = from.data() + r * stride + c;
      const Rows<float> turned{to.row(c) + r, to.stride};
      if (rows >= lanes && cols >= 4)
        TransposeFour(block, stride, scale, turned);
      else
        TransposeCorner(block, stride, std::min(rows - r, lanes), std::min<int64_t>(cols - c, 4), scale, turned);
    }
  }
}

/// to [rows, cols] = from, its rows padded with zeros to whole vectors.
HWY_NOINLINE void PackRows(TensorView<const float> from, Rows<float> to) {
  const F32 d;
  const int64_t cols = from.cols(), whole = cols - cols % static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < from.rows(); ++r) {
    const float* in = from.data() + r * from.stride(0);
    float* out = to.row(r);
    if (whole < cols) hn::StoreU(hn::Zero(d), d, out + whole);
    ForColumns(cols, [=](auto tag, int64_t c) HWY_ATTR { hn::StoreU(hn::LoadU(tag, in + c), tag, out + c); });
  }
}

/// to [cols] = factor * from, nothing beside is touched.
HWY_INLINE void UnpackRow(const float* from, int64_t cols, float factor, float* to) {
  ForColumns(cols, [=](auto tag, int64_t c)
                       HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(tag, from + c), hn::Set(tag, factor)), tag, to + c); });
}

HWY_NOINLINE void UnpackRows(Rows<const float> from, TensorView<float> to) {
  for (int64_t r = 0; r < to.rows(); ++r) UnpackRow(from.row(r), to.cols(), 1, to.data() + r * to.stride(0));
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_ATTENTION_PACK_INL_H_
