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

#include "vit/core/matrix.h"
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

template <class D>
HWY_INLINE hn::Vec<D> Load(D d, const float* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> Load(D d, const BFloat16* from) {
  const hn::Rebind<uint16_t, D> narrow;
  const hn::RebindToUnsigned<D> wide;
  const auto bits = hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void Store(D d, V v, float* to) {
  hn::StoreU(v, d, to);
}
/// Rounds like to_bf16.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void Store(D /*d*/, V v, BFloat16* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::RebindToSigned<D> wide_signed;
  const hn::Rebind<uint16_t, D> narrow;
  const auto bits = hn::BitCast(wide, v);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(wide, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(wide, 0x7FFFu))));
  const auto is_nan = hn::RebindMask(wide, hn::IsNaN(v));
  const auto chosen = hn::IfThenElse(is_nan, hn::Or(upper, hn::Set(wide, 0x40u)), rounded);
  hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(wide_signed, chosen)), narrow, reinterpret_cast<uint16_t*>(to));
}
/// Rounds to nearest, within +-127; NaN becomes 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void Store(D d, V v, int8_t* to) {
  const hn::Rebind<int8_t, D> narrow;
  const V number = hn::IfThenZeroElse(hn::IsNaN(v), v);
  const V within = hn::Min(hn::Max(number, hn::Set(d, -127.0f)), hn::Set(d, 127.0f));
  hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(within)), narrow, to);
}

/// to [cols] = factor * from, nothing beside is touched.
template <class T>
HWY_INLINE void UnpackRow(const float* from, int64_t cols, float factor, T* to) {
  ForColumns(cols, [=](auto tag, int64_t c)
                       HWY_ATTR { Store(tag, hn::Mul(hn::LoadU(tag, from + c), hn::Set(tag, factor)), to + c); });
}

/// to = from, rounded to the type of `to` and multiplied by `factor` first.
HWY_NOINLINE void UnpackRows(Rows<const float> from, float factor, const Matrix& to) {
  for (int64_t r = 0; r < to.rows(); ++r) {
    void* row = to.slice(r, 1).data();
    switch (to.type()) {
      case DType::f32:
        UnpackRow(from.row(r), to.cols(), factor, static_cast<float*>(row));
        break;
      case DType::bf16:
        UnpackRow(from.row(r), to.cols(), factor, static_cast<BFloat16*>(row));
        break;
      case DType::i8:
        UnpackRow(from.row(r), to.cols(), factor, static_cast<int8_t*>(row));
        break;
    }
  }
}

/// The matrix itself where it is fp32, else a copy in `scratch`, rows `stride` apart.
HWY_INLINE TensorView<const float> Widened(const ConstMatrix& from, int64_t stride, float* scratch) {
  if (from.type() == DType::f32) return from.view<const float>();
  const TensorView<const BFloat16> narrow = from.view<const BFloat16>();
  const auto to = TensorView<float>::matrix(scratch, from.rows(), from.cols(), stride);
  for (int64_t r = 0; r < from.rows(); ++r) {
    const BFloat16* in = narrow[r].data();
    float* out = to[r].data();
    ForColumns(from.cols(), [=](auto tag, int64_t c) HWY_ATTR { hn::StoreU(Load(tag, in + c), tag, out + c); });
  }
  return to;
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_ATTENTION_PACK_INL_H_
