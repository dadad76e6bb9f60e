#include "vit/kernels/peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/peak.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "vit/kernels/isa.h"
#include "vit/kernels/peak_bf16.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Flops done; `sink` keeps the result alive. Ten chains cover the latency of two multiply-adders of 5 cycles; they
// start differently, or the compiler would see that one chain is enough.
double MultiplyAdd(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  const auto a = hn::Set(d, 0.999f), b = hn::Set(d, 1e-3f);
  auto c0 = hn::Set(d, 0.0f), c1 = hn::Set(d, 1.0f), c2 = hn::Set(d, 2.0f), c3 = hn::Set(d, 3.0f);
  auto c4 = hn::Set(d, 4.0f), c5 = hn::Set(d, 5.0f), c6 = hn::Set(d, 6.0f), c7 = hn::Set(d, 7.0f);
  auto c8 = hn::Set(d, 8.0f), c9 = hn::Set(d, 9.0f);
  for (int64_t i = 0; i < rounds; ++i) {
    c0 = hn::MulAdd(c0, a, b);
    c1 = hn::MulAdd(c1, a, b);
    c2 = hn::MulAdd(c2, a, b);
    c3 = hn::MulAdd(c3, a, b);
    c4 = hn::MulAdd(c4, a, b);
    c5 = hn::MulAdd(c5, a, b);
    c6 = hn::MulAdd(c6, a, b);
    c7 = hn::MulAdd(c7, a, b);
    c8 = hn::MulAdd(c8, a, b);
    c9 = hn::MulAdd(c9, a, b);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(c0, c1), hn::Add(c2, c3)),
                           hn::Add(hn::Add(hn::Add(c4, c5), hn::Add(c6, c7)), hn::Add(c8, c9)));
  *sink = hn::GetLane(hn::SumOfLanes(d, sum));
  return static_cast<double>(rounds) * 10 * 2 * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(MultiplyAdd);

double run_multiply_adds(DType dtype, int64_t rounds, float* sink) {
  if (dtype == DType::bf16 && avx512_bf16_runs()) return dot_bf16(rounds, sink);
  if (dtype == DType::i8 && avx512_vnni_runs()) return dot_int8(rounds, sink);
  return VIT_DISPATCH(MultiplyAdd)(rounds, sink);
}

double measured_peak_gflops(DType dtype) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kRounds = 100000;  // about a quarter of a millisecond
  constexpr int kLeastRuns = 40;       // a busy machine may take the 20 ms away during one
  volatile float kept = 0;
  double best = 0;
  const auto end = Clock::now() + std::chrono::milliseconds(20);
  auto begin = Clock::now();
  for (int runs = 0; runs < kLeastRuns || begin < end; ++runs) {
    float sink = 0;
    const double flops = run_multiply_adds(dtype, kRounds, &sink);
    const auto now = Clock::now();
    kept = sink;
    best = std::max(best, flops / std::chrono::duration<double, std::nano>(now - begin).count());
    begin = now;
  }
  static_cast<void>(kept);
  return best;
}

}  // namespace vit
#endif  // HWY_ONCE
