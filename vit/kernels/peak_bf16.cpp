#include "vit/kernels/peak_bf16.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl")

namespace vit {

// Ten chains cover the latency of two units of 5 cycles.
constexpr int kChains = 10;

__attribute__((target("avx512bf16"))) double dot_bf16(int64_t rounds, float* sink) {
  __m512 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm512_set1_ps(static_cast<float>(c));
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_dpbf16_ps(sums[c], a, a);
  alignas(64) float lanes[kChains][16];
  for (int c = 0; c < kChains; ++c) _mm512_store_ps(lanes[c], sums[c]);
  for (const auto& chain : lanes) *sink += chain[0];
  return static_cast<double>(rounds) * kChains * 2 * 32;
}

__attribute__((target("avx512vnni"))) double dot_int8(int64_t rounds, float* sink) {
  __m512i sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm512_set1_epi32(c);
  const __m512i a = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_dpbusd_epi32(sums[c], a, a);
  alignas(64) int32_t lanes[kChains][16];
  for (int c = 0; c < kChains; ++c) _mm512_store_si512(lanes[c], sums[c]);
  for (const auto& chain : lanes) *sink += static_cast<float>(chain[0]);
  return static_cast<double>(rounds) * kChains * 2 * 64;
}

}  // namespace vit

#pragma GCC pop_options
#else

namespace vit {
double dot_bf16(int64_t, float*) { return 0; }
double dot_int8(int64_t, float*) { return 0; }
}  // namespace vit
#endif
