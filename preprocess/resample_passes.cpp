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

void resample_row_any(const uint8_t* source, const Taps& taps, uint8_t* out) {
  for (int64_t i = 0, n = taps.size(); i < n; ++i, out += 3) {
    const int32_t* weight = taps.weight(i);
    const uint8_t* pixel = source + int64_t{taps.first[static_cast<size_t>(i)]} * 3;
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

[[gnu::always_inline]] inline void blend_rows_body(const uint8_t* rows, int64_t stride, const int32_t* weight,
                                                   int32_t count, std::span<uint8_t> out) {
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

void blend_rows_any(const uint8_t* rows, int64_t stride, const int32_t* weight, int32_t count, std::span<uint8_t> out) {
  blend_rows_body(rows, stride, weight, count, out);
}

#if defined(__x86_64__)
/// Two taps a step: red, green, blue and a zero of both pixels side by side. An odd last tap has a neighbour of
/// weight zero.
[[gnu::target("avx2")]] void resample_row_avx2(const uint8_t* source, const Taps& taps, uint8_t* out) {
  const __m256i spread = _mm256_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1,  //
                                          3, -1, -1, -1, 4, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1, -1);
  const __m256i pair = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  for (int64_t i = 0, n = taps.size(); i < n; ++i, out += 3) {
    const int32_t* weight = taps.weight(i);
    const uint8_t* pixel = source + int64_t{taps.first[static_cast<size_t>(i)]} * 3;
    __m256i sums = _mm256_setr_epi32(kHalf, kHalf, kHalf, kHalf, 0, 0, 0, 0);
    for (int32_t t = 0, count = taps.count[static_cast<size_t>(i)]; t < count; t += 2, pixel += 6, weight += 2) {
      int64_t bytes = 0, weights = 0;
      std::memcpy(&bytes, pixel, sizeof(bytes));
      std::memcpy(&weights, weight, sizeof(weights));
      const __m256i pixels = _mm256_shuffle_epi8(_mm256_set1_epi64x(bytes), spread);
      const __m256i factors = _mm256_permutevar8x32_epi32(_mm256_set1_epi64x(weights), pair);
      sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(pixels, factors));
    }
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, kWeightBits), _mm_setzero_si128());
    const int32_t rgb = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));  // the packs clamp
    std::memcpy(out, &rgb, 3);
  }
}

[[gnu::target("avx2")]] void blend_rows_avx2(const uint8_t* rows, int64_t stride, const int32_t* weight, int32_t count,
                                             std::span<uint8_t> out) {
  blend_rows_body(rows, stride, weight, count, out);
}
#endif

}  // namespace

Passes passes_for(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx2) return {resample_row_avx2, blend_rows_avx2};
#else
  static_cast<void>(isa);
#endif
  return {resample_row_any, blend_rows_any};
}

}  // namespace vit
