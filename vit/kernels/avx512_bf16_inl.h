// Products and packing of bf16 for AVX512_BF16, which Highway 1.0.3 has no target for. Included by sources of that
// instruction set, after their `#pragma GCC target` and in no other place; nothing of the standard library is
// instantiated here, as the linker could give that code to processors that lack the instructions.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "vit/kernels/bf16_rows.h"

namespace vit {
namespace {

#define VIT_INLINE inline __attribute__((always_inline))

constexpr int64_t kLanes = 16;  // of 32 bits

VIT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// The bits of a vector of 32 bf16.
VIT_INLINE __m512bh as_bf16(__m512i v) { return reinterpret_cast<__m512bh>(v); }
VIT_INLINE __m512i as_bits(__m512bh v) { return reinterpret_cast<__m512i>(v); }

/// The first `count` lanes of 16 or 32; all or none where count is beyond.
VIT_INLINE __mmask16 first16(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : count <= 0 ? 0 : (1U << count) - 1);
}
VIT_INLINE __mmask32 first32(int64_t count) {
  return static_cast<__mmask32>(count >= 32 ? 0xFFFFFFFF : count <= 0 ? 0 : (1U << count) - 1);
}

using Pair = Bf16Pair;  // one lane of an operand of vdpbf16ps

/// The same where vectors of another type were stored.
using AnyPair [[gnu::may_alias]] = Pair;

/// The left factor of a product: single pairs at any strides.
struct PairElements {
  const AnyPair* data;
  int64_t row_stride;
  int64_t depth_stride;
};

/// Rows of whole vectors, `stride` elements apart.
template <class T>
struct VectorRows {
  T* data;
  int64_t stride;

  T* row(int64_t r) const { return data + r * stride; }
};

/// c = (add ? c : 0) + a b for a tile of kRows rows and kVectors vectors; depth counts pairs.
template <int kRows, int kVectors>
VIT_INLINE void tile(int64_t depth, const PairElements& a, VectorRows<const Pair> b, bool add, VectorRows<float> c) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = add ? _mm512_loadu_ps(c.row(r) + v * kLanes) : _mm512_setzero_ps();

  const AnyPair* left = a.data;
  const Pair* right = b.data;
  for (int64_t k = 0; k < depth; ++k, left += a.depth_stride, right += b.stride) {
    __m512bh across[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) across[v] = as_bf16(_mm512_loadu_si512(right + v * kLanes));
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512bh down = as_bf16(_mm512_set1_epi32(static_cast<int>(left[r * a.row_stride])));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], down, across[v]);
    }
  }

#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(c.row(r) + v * kLanes, sum[r][v]);
}

/// The last, fewer rows of a panel.
template <int kRows, int kVectors>
VIT_INLINE void last_tile(int64_t rows, int64_t depth, const PairElements& a, VectorRows<const Pair> b, bool add,
                          VectorRows<float> c) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      tile<kRows, kVectors>(depth, a, b, add, c);
    else
      last_tile<kRows - 1, kVectors>(rows, depth, a, b, add, c);
  }
}

/// All rows of a panel of kVectors vectors; the panel of b stays in the first cache.
template <int kVectors>
__attribute__((noinline)) void panel(int64_t rows, int64_t depth, PairElements a, VectorRows<const Pair> b, bool add,
                                     VectorRows<float> c) {
  constexpr int kRows = 6;
  for (; rows >= kRows; rows -= kRows) {
    tile<kRows, kVectors>(depth, a, b, add, c);
    a.data += kRows * a.row_stride;
    c.data += kRows * c.stride;
  }
  last_tile<kRows - 1, kVectors>(rows, depth, a, b, add, c);
}

/// c [rows, cols] = (add ? c : 0) + a [rows, 2 depth] b [2 depth, cols]; b and c are read and written in whole vectors.
/// Each element is one chain of additions in order of depth.
VIT_INLINE void gemm(int64_t rows, int64_t cols, int64_t depth, const PairElements& a, VectorRows<const Pair> b,
                     bool add, VectorRows<float> c) {
  int64_t vectors = (cols + kLanes - 1) / kLanes;
  while (vectors > 0) {
    // Equal panels, as narrow ones leave the multipliers waiting.
    const int64_t panels = (vectors + 3) / 4, width = (vectors + panels - 1) / panels;
    switch (width) {
      case 4:
        panel<4>(rows, depth, a, b, add, c);
        break;
      case 3:
        panel<3>(rows, depth, a, b, add, c);
        break;
      case 2:
        panel<2>(rows, depth, a, b, add, c);
        break;
      default:
        panel<1>(rows, depth, a, b, add, c);
    }
    vectors -= width;
    b.data += width * kLanes;
    c.data += width * kLanes;
  }
}

/// 32 elements of a row from `col`, zeros beyond its end; of a row beyond the last, zeros.
VIT_INLINE __m512i load_row(const Bf16Rows& m, int64_t r, int64_t col) {
  return _mm512_maskz_loadu_epi16(r < m.rows ? first32(m.cols - col) : 0, m.row(r < m.rows ? r : 0) + col);
}

/// Pairs of two rows: lane i of `low` is (first[i], second[i]) for i < 16, `high` has the other 16.
struct RowPairs {
  __m512i low, high;
};
VIT_INLINE RowPairs pairs_of(__m512i first, __m512i second) {
  // Elements 16 i of either row next to each other; those of the second row have bit 5 set.
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                       5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  return {_mm512_permutex2var_epi16(first, low, second), _mm512_permutex2var_epi16(first, high, second)};
}

/// to [rows / 2 up, cols] = pairs of rows 2 i and 2 i + 1, zeros beyond the last row and column.
__attribute__((noinline)) void pack_row_pairs(const Bf16Rows& from, VectorRows<Pair> to) {
  for (int64_t r = 0; r < from.rows; r += 2)
    for (int64_t c = 0; c < from.cols; c += 2 * kLanes) {
      const RowPairs pairs = pairs_of(load_row(from, r, c), load_row(from, r + 1, c));
      _mm512_storeu_si512(to.row(r / 2) + c, pairs.low);
      if (c + kLanes < from.cols) _mm512_storeu_si512(to.row(r / 2) + c + kLanes, pairs.high);
    }
}

/// to [rows, cols / 2 up] = from as pairs within a row, zeros beyond the last column; whole vectors.
__attribute__((noinline)) void pack_rows(const Bf16Rows& from, VectorRows<Pair> to) {
  for (int64_t r = 0; r < from.rows; ++r)
    for (int64_t c = 0; c < from.cols; c += 2 * kLanes) _mm512_storeu_si512(to.row(r) + c / 2, load_row(from, r, c));
}

/// Transposes 16 vectors of 16 lanes in place.
VIT_INLINE void transpose16(__m512i (&v)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // Vector 4 i + j now has column 4 b + j of rows 4 i to 4 i + 3 in its block b.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i even01 = _mm512_shuffle_i32x4(v[j], v[4 + j], 0x88),
                  odd01 = _mm512_shuffle_i32x4(v[j], v[4 + j], 0xDD);
    const __m512i even23 = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0x88);
    const __m512i odd23 = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0xDD);
    t[j] = _mm512_shuffle_i32x4(even01, even23, 0x88);
    t[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xDD);
    t[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

/// to [cols / 2 up, rows] = the pairs within each row of `from`, transposed; zeros up to whole vectors of rows.
__attribute__((noinline)) void pack_transposed(const Bf16Rows& from, VectorRows<Pair> to) {
  for (int64_t r = 0; r < from.rows; r += kLanes)
    for (int64_t c = 0; c < from.cols; c += 2 * kLanes) {
      __m512i block[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) block[i] = load_row(from, r + i, c);
      transpose16(block);
      const int64_t pairs = (from.cols - c + 1) / 2;
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        if (i < pairs) _mm512_storeu_si512(to.row(c / 2 + i) + r, block[i]);
    }
}

/// One number of each of four rows.
struct Four {
  alignas(16) float row[4];
};
struct MaxOf {
  VIT_INLINE __m512 operator()(__m512 a, __m512 b) const { return _mm512_max_ps(a, b); }
  VIT_INLINE __m128 operator()(__m128 a, __m128 b) const { return _mm_max_ps(a, b); }
};
struct SumOf {
  VIT_INLINE __m512 operator()(__m512 a, __m512 b) const { return _mm512_add_ps(a, b); }
  VIT_INLINE __m128 operator()(__m128 a, __m128 b) const { return _mm_add_ps(a, b); }
};

/// The op over all lanes of each of the four vectors.
template <class Op>
VIT_INLINE Four join(const __m512 (&rows)[4], Op op) {
  const __m512 low = op(_mm512_unpacklo_ps(rows[0], rows[1]), _mm512_unpackhi_ps(rows[0], rows[1]));
  const __m512 high = op(_mm512_unpacklo_ps(rows[2], rows[3]), _mm512_unpackhi_ps(rows[2], rows[3]));
  const __m512d rows01 = _mm512_castps_pd(low), rows23 = _mm512_castps_pd(high);
  const __m512 all =
      op(_mm512_castpd_ps(_mm512_unpacklo_pd(rows01, rows23)), _mm512_castpd_ps(_mm512_unpackhi_pd(rows01, rows23)));
  Four result;
  _mm_store_ps(result.row, op(op(_mm512_castps512_ps128(all), _mm512_extractf32x4_ps(all, 1)),
                              op(_mm512_extractf32x4_ps(all, 2), _mm512_extractf32x4_ps(all, 3))));
  return result;
}

/// to [rows, m.rows] = a m^T; a has the pairs of its rows one after the other, zeros up to whole vectors. There is room
/// for whole groups of four rows.
__attribute__((noinline)) void dot_products(int64_t rows, VectorRows<const Pair> a, const Bf16Rows& m,
                                            VectorRows<float> to) {
  for (int64_t r = 0; r < rows; r += 4)
    for (int64_t j = 0; j < m.rows; ++j) {
      __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
      for (int64_t c = 0; c < m.cols; c += 2 * kLanes) {
        const __m512bh along = as_bf16(load_row(m, j, c));
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          sum[i] = _mm512_dpbf16_ps(sum[i], as_bf16(_mm512_loadu_si512(a.row(r + i) + c / 2)), along);
      }
      const Four dot = join(sum, SumOf());
      for (int i = 0; i < 4; ++i) to.row(r + i)[j] = dot.row[i];
    }
}

/// 2^v: 0 for -inf, NaN for NaN, below the range of fp32 0 as well.
VIT_INLINE __m512 exp2_ps(__m512 v) {
  // 2^r, r = v - floor(v); minimax in relative error, 2.6e-6 (fitted by Remez' exchange), far below a bf16's 2e-3.
  const __m512 r = _mm512_reduce_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 q = _mm512_set1_ps(0.013534167911698657f);
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.05201146061904796f));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.24144275688619407f));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.6930038344710632f));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(1.0000025933706653f));
  return _mm512_scalef_ps(q, v);
}

/// to [count] = factor * from, in bf16.
VIT_INLINE void store_row(const float* from, int64_t count, float factor, BFloat16* to) {
  for (int64_t c = 0; c < count; c += kLanes) {
    const __m512 v = _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_loadu_ps(from + c));
    const auto narrow = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v));
    _mm256_mask_storeu_epi16(to + c, first16(count - c), narrow);
  }
}

/// to [count] = factor * from, rounded to nearest, within +-127; NaN becomes 0.
VIT_INLINE void store_row(const float* from, int64_t count, float factor, int8_t* to) {
  const __m512 limit = _mm512_set1_ps(127.0f);
  for (int64_t c = 0; c < count; c += kLanes) {
    const __m512 v = _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_loadu_ps(from + c));
    const __mmask16 number = _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q);
    const __m512 within = _mm512_min_ps(_mm512_max_ps(v, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
    const __m512i rounded = _mm512_maskz_mov_epi32(number, _mm512_cvtps_epi32(within));
    _mm512_mask_cvtsepi32_storeu_epi8(to + c, first16(count - c), rounded);
  }
}

}  // namespace
}  // namespace vit
