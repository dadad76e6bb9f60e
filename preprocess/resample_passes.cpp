#include "preprocess/resample_passes.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vit {
namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

uint8_t to_pixel(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

void resample_rows_any(Rows<const uint8_t> source, int64_t rows, const Taps& taps, Rows<uint8_t> to) {
  for (int64_t y = 0; y < rows; ++y) {
    uint8_t* out = to[y];
    for (int64_t i = 0, n = taps.size(); i < n; ++i, out += 3) {
      const int32_t* weight = taps.weight(i);
      const uint8_t* pixel = source[y] + int64_t{taps.first[static_cast<size_t>(i)]} * 3;
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int32_t t = 0, count = taps.count[static_cast<size_t>(i)]; t < count; ++t, pixel += 3) {
        red += pixel[0] * weight[t];
        green += pixel[1] * weight[t];
        blue += pixel[2] * weight[t];
      }
      out[0] = to_pixel(red);
      out[1] = to_pixel(green);
      out[2] = to_pixel(blue);
    }
  }
}

void blend_rows_any(const uint8_t* rows, int64_t stride, const int32_t* weight, int32_t count, std::span<uint8_t> out) {
  constexpr int64_t kBlock = 64;
  const int64_t row_bytes = std::ssize(out);
  for (int64_t begin = 0; begin < row_bytes; begin += kBlock) {
    const int64_t n = std::min(kBlock, row_bytes - begin);
    int32_t sums[kBlock];
    std::fill_n(sums, kBlock, kHalf);
    for (int32_t t = 0; t < count; ++t) {
      const uint8_t* row = rows + t * stride + begin;
      const int32_t w = weight[t];
      if (n == kBlock) {  // a fixed count makes vector code without a tail
        for (int64_t i = 0; i < kBlock; ++i) sums[i] += row[i] * w;
      } else {
        for (int64_t i = 0; i < n; ++i) sums[i] += row[i] * w;
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      out[static_cast<size_t>(begin + i)] = to_pixel(sums[i]);
    }
  }
}

#if defined(__x86_64__)
// A weight is high * 2^11 + low, both of 16 bits, so that products of two taps are summed by one instruction. The sums
// of `low` may wrap where there are thousands of taps; the whole sum, which fits, is the same modulo 2^32.

constexpr int kLowBits = 11;

/// Four taps a step and kRows rows at once, which share the weights: of each row red, green and blue of two pixels side
/// by side in the lower half, of the next two in the upper.
template <int kRows>
[[gnu::target("avx2")]] void resample_group_avx2(Rows<const uint8_t> source, const Taps& taps, Rows<uint8_t> to) {
  const __m256i spread = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                          6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i high_pairs = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i low_pairs = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  const __m128i low_mask = _mm_set1_epi32((1 << kLowBits) - 1);
  for (int64_t i = 0, n = taps.size(); i < n; ++i) {
    const int32_t* weight = taps.weight(i);
    int64_t at = int64_t{taps.first[static_cast<size_t>(i)]} * 3;
    __m256i high[kRows], low[kRows];
    for (int r = 0; r < kRows; ++r) {
      high[r] = _mm256_setzero_si256();
      low[r] = _mm256_setr_epi32(kHalf, kHalf, kHalf, kHalf, 0, 0, 0, 0);
    }
    for (int32_t t = 0, count = taps.count[static_cast<size_t>(i)]; t < count; t += 4, at += 12, weight += 4) {
      const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight));
      const __m256i both =
          _mm256_castsi128_si256(_mm_packs_epi32(_mm_srai_epi32(w, kLowBits), _mm_and_si128(w, low_mask)));
      const __m256i high_weights = _mm256_permutevar8x32_epi32(both, high_pairs);
      const __m256i low_weights = _mm256_permutevar8x32_epi32(both, low_pairs);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i pixels = _mm256_shuffle_epi8(
            _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source[r] + at))), spread);
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pixels, high_weights));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pixels, low_weights));
      }
    }
    const size_t bytes = i + 1 < n ? 4 : 3;  // the fourth is the next pixel's, which is written after it
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m256i sums = _mm256_add_epi32(_mm256_slli_epi32(high[r], kLowBits), low[r]);
      const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
      const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, kWeightBits), _mm_setzero_si128());
      const int32_t rgb = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));  // the packs clamp
      if (bytes == 4)
        std::memcpy(to[r] + i * 3, &rgb, 4);
      else
        std::memcpy(to[r] + i * 3, &rgb, 3);
    }
  }
}

void resample_rows_avx2(Rows<const uint8_t> source, int64_t count, const Taps& taps, Rows<uint8_t> to) {
  constexpr int kGroup = 4;
  int64_t y = 0;
  for (; y + kGroup <= count; y += kGroup)
    resample_group_avx2<kGroup>({source[y], source.stride}, taps, {to[y], to.stride});
  for (; y < count; ++y) resample_group_avx2<1>({source[y], source.stride}, taps, {to[y], to.stride});
}

/// 32 columns at a time and two rows a step, whose bytes lie side by side.
[[gnu::target("avx2")]] void blend_rows_avx2(const uint8_t* rows, int64_t stride, const int32_t* weight, int32_t count,
                                             std::span<uint8_t> out) {
  constexpr int64_t kBlock = 32;
  constexpr int32_t kMostRows = 256;
  const int64_t row_bytes = std::ssize(out);
  if (row_bytes < kBlock || count > kMostRows) return blend_rows_any(rows, stride, weight, count, out);
  int16_t high_weights[kMostRows + 1], low_weights[kMostRows + 1];
  for (int32_t t = 0; t < count; ++t) {
    high_weights[t] = static_cast<int16_t>(weight[t] >> kLowBits);
    low_weights[t] = static_cast<int16_t>(weight[t] & ((1 << kLowBits) - 1));
  }
  high_weights[count] = low_weights[count] = 0;
  const __m256i zero = _mm256_setzero_si256();
  for (int64_t begin = 0; begin < row_bytes; begin += kBlock) {
    begin = std::min(begin, row_bytes - kBlock);  // the last block repeats columns of the one before
    __m256i high[4], low[4];
    for (int k = 0; k < 4; ++k) {
      high[k] = zero;
      low[k] = _mm256_set1_epi32(kHalf);
    }
    for (int32_t t = 0; t < count; t += 2) {
      const uint8_t* row = rows + t * stride + begin;
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t + 1 < count ? row + stride : row));
      int32_t high_pair = 0, low_pair = 0;
      std::memcpy(&high_pair, high_weights + t, sizeof(high_pair));
      std::memcpy(&low_pair, low_weights + t, sizeof(low_pair));
      const __m256i first = _mm256_unpacklo_epi8(a, b), second = _mm256_unpackhi_epi8(a, b);
      const __m256i pairs[4] = {_mm256_unpacklo_epi8(first, zero), _mm256_unpackhi_epi8(first, zero),
                                _mm256_unpacklo_epi8(second, zero), _mm256_unpackhi_epi8(second, zero)};
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        high[k] = _mm256_add_epi32(high[k], _mm256_madd_epi16(pairs[k], _mm256_set1_epi32(high_pair)));
        low[k] = _mm256_add_epi32(low[k], _mm256_madd_epi16(pairs[k], _mm256_set1_epi32(low_pair)));
      }
    }
    for (int k = 0; k < 4; ++k)
      low[k] = _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(high[k], kLowBits), low[k]), kWeightBits);
    const __m256i pixels = _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]), _mm256_packs_epi32(low[2], low[3]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.data() + begin), pixels);
  }
}
#endif

}  // namespace

Passes passes_for(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx2) return {resample_rows_avx2, blend_rows_avx2};
#else
  static_cast<void>(isa);
#endif
  return {resample_rows_any, blend_rows_any};
}

}  // namespace vit
