// Matrix products of cache-sized blocks, tiled in registers. Included by kernel sources after <hwy/highway.h>, once
// per target, so the guard toggles; use as `micro::Gemm(...)` inside namespace vit::HWY_NAMESPACE.
#if defined(VIT_KERNELS_MICRO_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_MICRO_GEMM_INL_H_
#undef VIT_KERNELS_MICRO_GEMM_INL_H_
#else
#define VIT_KERNELS_MICRO_GEMM_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace micro {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;

/// The left factor: single elements at any strides, so a transposed matrix is read as it lies.
struct Elements {
  const float* data;
  int64_t row_stride;
  int64_t col_stride;
};

/// The right factor and the result: rows of whole vectors, `stride` floats apart, so what lies between the last
/// column and the next multiple of a vector is read (right factor) and overwritten (result).
template <class T>
struct Rows {
  T* data;
  int64_t stride;

  T* row(int64_t r) const { return data + r * stride; }
};

/// Sizes of the tile that fills the registers: kTileRows * kTileVectors sums, kTileVectors of the right factor and
/// one of the left.
inline constexpr int kTileRows = 6;
#if HWY_TARGET <= HWY_AVX3
inline constexpr int kTileVectors = 4;
#else
inline constexpr int kTileVectors = 2;
#endif

/// c = (add ? c : 0) + a b for a tile of kRows rows and kVectors vectors.
template <int kRows, int kVectors, class D>
HWY_INLINE void Tile(D d, int64_t depth, const Elements& a, const Rows<const float>& b, bool add,
                     const Rows<float>& c) {
  using V = hn::Vec<D>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[r][v] = add ? hn::LoadU(d, c.row(r) + v * lanes) : hn::Zero(d);

  const float* HWY_RESTRICT left = a.data;
  const float* HWY_RESTRICT right = b.data;
  for (int64_t k = 0; k < depth; ++k, left += a.col_stride, right += b.stride) {
    V across[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) across[v] = hn::LoadU(d, right + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const V down = hn::Set(d, left[r * a.row_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(down, across[v], sum[r][v]);
    }
  }

#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, c.row(r) + v * lanes);
}

/// The last, fewer than kTileRows rows of a panel.
template <int kRows, int kVectors, class D>
HWY_INLINE void LastTile(D d, int64_t rows, int64_t depth, const Elements& a, const Rows<const float>& b, bool add,
                         const Rows<float>& c) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      Tile<kRows, kVectors>(d, depth, a, b, add, c);
    else
      LastTile<kRows - 1, kVectors>(d, rows, depth, a, b, add, c);
  }
}

/// All rows of a panel of kVectors vectors; the panel of b stays in the first cache.
template <int kVectors, class D>
HWY_NOINLINE void Panel(D d, int64_t rows, int64_t depth, Elements a, Rows<const float> b, bool add, Rows<float> c) {
  for (; rows >= kTileRows; rows -= kTileRows) {
    Tile<kTileRows, kVectors>(d, depth, a, b, add, c);
    a.data += kTileRows * a.row_stride;
    c.data += kTileRows * c.stride;
  }
  LastTile<kTileRows - 1, kVectors>(d, rows, depth, a, b, add, c);
}

/// Half vectors cost processors with narrower units half as much.
inline constexpr bool kHalfVectors = HWY_TARGET <= HWY_AVX2;

/// Whether Gemm touches no column beyond the last.
HWY_INLINE bool WholeVectors(int64_t cols) { return cols % static_cast<int64_t>(hn::Lanes(F32())) == 0; }

/// c [rows, cols] = (add ? c : 0) + a [rows, depth] b [depth, cols]. Each element is one chain of multiply-adds in
/// order of depth.
HWY_INLINE void Gemm(int64_t rows, int64_t cols, int64_t depth, const Elements& a, Rows<const float> b, bool add,
                     Rows<float> c) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto next_panel = [&](int64_t vectors) {
    b.data += vectors * lanes;
    c.data += vectors * lanes;
    cols -= vectors * lanes;
  };
  while (cols > (kTileVectors - 1) * lanes) {
    Panel<kTileVectors>(d, rows, depth, a, b, add, c);
    next_panel(kTileVectors);
  }
#if HWY_TARGET <= HWY_AVX3
  if (cols > 2 * lanes) {
    Panel<3>(d, rows, depth, a, b, add, c);
    next_panel(3);
  } else if (cols > lanes) {
    Panel<2>(d, rows, depth, a, b, add, c);
    next_panel(2);
  }
#endif
  if (cols <= 0) return;
  if constexpr (kHalfVectors) {
    if (cols <= lanes / 2) {
      Panel<1>(hn::Half<F32>(), rows, depth, a, b, add, c);
      return;
    }
  }
  Panel<1>(d, rows, depth, a, b, add, c);
}

}  // namespace micro
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_MICRO_GEMM_INL_H_
