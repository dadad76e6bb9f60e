#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "vit/kernels/weight_gradient_bf16.h"

#if defined(__x86_64__)

// All headers of others come before this line, so that none of their functions is compiled for this target.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 on its own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wunused-function"      // of the shared parts
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")

#include "vit/kernels/avx512_bf16_inl.h"

namespace vit {
namespace {

using Call = Bf16WeightGradient;
constexpr int64_t kTile = Call::kTileOutputs, kPanel = Call::kPanelVectors * kLanes;

/// The cache line at column `col` of a pair of rows a little after row `r`.
VIT_INLINE void bring_later_rows(const Bf16Rows& m, int64_t r, int64_t col) {
  constexpr int64_t kAhead = 12;
  if (r + kAhead + 1 >= m.rows) return;
  _mm_prefetch(m.row(r + kAhead) + col, _MM_HINT_T0);
  _mm_prefetch(m.row(r + kAhead + 1) + col, _MM_HINT_T0);
}

/// panels [I / 48 up][depth][48] of the pairs of rows.
__attribute__((noinline)) void pack_panels(const Bf16Rows& x, int64_t depth, Pair* panels) {
  const auto store = [&](int64_t col, int64_t pair, __m512i v) {
    if (col < x.cols) _mm512_storeu_si512(panels + (col / kPanel * depth + pair) * kPanel + col % kPanel, v);
  };
  for (int64_t pair = 0; pair < depth; ++pair)
    for (int64_t c = 0; c < x.cols; c += 2 * kLanes) {
      bring_later_rows(x, 2 * pair, c);
      const RowPairs pairs = pairs_of(load_row(x, 2 * pair, c), load_row(x, 2 * pair + 1, c));
      store(c, pair, pairs.low);
      store(c + kLanes, pair, pairs.high);
    }
}

/// tiles [O / 8 up][depth][8] of the pairs of rows; sums [O up to whole pairs of vectors] += those of the columns.
__attribute__((noinline)) void pack_tiles(const Bf16Rows& dy, int64_t depth, Pair* tiles, float* sums) {
  const __m512bh ones = as_bf16(_mm512_set1_epi16(0x3F80));
  const auto add_pairs = [&](float* to, __m512i pairs) {
    _mm512_storeu_ps(to, _mm512_dpbf16_ps(_mm512_loadu_ps(to), as_bf16(pairs), ones));
  };
  const auto store = [&](int64_t tile, int64_t pair, __m256i v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(tiles + (tile * depth + pair) * kTile), v);
  };
  for (int64_t pair = 0; pair < depth; ++pair)
    for (int64_t c = 0; c < dy.cols; c += 2 * kLanes) {
      bring_later_rows(dy, 2 * pair, c);
      const RowPairs pairs = pairs_of(load_row(dy, 2 * pair, c), load_row(dy, 2 * pair + 1, c));
      add_pairs(sums + c, pairs.low);
      add_pairs(sums + c + kLanes, pairs.high);
      store(c / kTile, pair, _mm512_castsi512_si256(pairs.low));
      store(c / kTile + 1, pair, _mm512_extracti64x4_epi64(pairs.low, 1));
      store(c / kTile + 2, pair, _mm512_castsi512_si256(pairs.high));
      store(c / kTile + 3, pair, _mm512_extracti64x4_epi64(pairs.high, 1));
    }
}

/// dw [outputs, 16 kVectors] += tiles^T panel.
template <int kVectors>
__attribute__((noinline)) void multiply_panel(int64_t outputs, int64_t depth, const Pair* tiles, const Pair* panel,
                                              VectorRows<float> dw) {
  const VectorRows<const Pair> b{panel, kPanel};
  for (int64_t o = 0; o < outputs; o += kTile, tiles += depth * kTile) {
    const VectorRows<float> c{dw.row(o), dw.stride};
    const int64_t rows = smaller(kTile, outputs - o);
    for (int64_t r = 0; r < smaller(kTile, outputs - o - kTile); ++r)
      for (int v = 0; v < kVectors; ++v) _mm_prefetch(c.row(kTile + r) + v * kLanes, _MM_HINT_T0);
    if (rows == kTile)
      tile<kTile, kVectors>(depth, {tiles, 1, kTile}, b, true, c);
    else
      last_tile<kTile - 1, kVectors>(rows, depth, {tiles, 1, kTile}, b, true, c);
  }
}

/// All inputs of a range of outputs.
VIT_INLINE void multiply(const Call& call, int64_t first, int64_t outputs, int64_t depth) {
  for (int64_t c = 0; c < call.x.cols; c += kPanel) {
    const Pair* panel = call.x_panels + c * depth;
    const VectorRows<float> dw{call.dw + first * call.dw_stride + c, call.dw_stride};
    switch (smaller(Call::kPanelVectors, (call.x.cols - c) / kLanes)) {
      case 3:
        multiply_panel<3>(outputs, depth, call.dy_tiles, panel, dw);
        break;
      case 2:
        multiply_panel<2>(outputs, depth, call.dy_tiles, panel, dw);
        break;
      default:
        multiply_panel<1>(outputs, depth, call.dy_tiles, panel, dw);
    }
  }
}

}  // namespace

void add_weight_gradient_avx512_bf16(const Call& call) {
  const int64_t pairs = (call.dy.rows + 1) / 2, blocks = (pairs + Call::kMostPairs - 1) / Call::kMostPairs;
  const int64_t outputs = call.dy.cols;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = pairs * block / blocks, depth = pairs * (block + 1) / blocks - begin;
    const int64_t rows = smaller(2 * depth, call.dy.rows - 2 * begin);
    const Bf16Rows dy = call.dy.slice(2 * begin, rows);
    pack_panels(call.x.slice(2 * begin, rows), depth, call.x_panels);
    for (int64_t first = 0; first < outputs; first += Call::kMostOutputs) {
      const int64_t count = smaller(Call::kMostOutputs, outputs - first);
      float sums[Call::kMostOutputs] = {};
      pack_tiles({dy.data + first, dy.stride, rows, count}, depth, call.dy_tiles, sums);
      for (int64_t o = 0; o < count && call.dbias != nullptr; ++o) call.dbias[first + o] += sums[o];
      multiply(call, first, count, depth);
    }
  }
}

}  // namespace vit

#else

namespace vit {
void add_weight_gradient_avx512_bf16(const Bf16WeightGradient&) {}
}  // namespace vit

#endif
