#include "vit/kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "vit/core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/peak.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// `rounds` of twelve independent multiply-adds, enough to hide their latency; returns the operations done. The sum
/// goes to `sink` so that the work cannot be left out.
double MultiplyAdds(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999f);
  const auto term = hn::Set(d, 0.001f);
  auto a0 = hn::Iota(d, 0), a1 = hn::Iota(d, 1), a2 = hn::Iota(d, 2), a3 = hn::Iota(d, 3), a4 = hn::Iota(d, 4),
       a5 = hn::Iota(d, 5), a6 = hn::Iota(d, 6), a7 = hn::Iota(d, 7), a8 = hn::Iota(d, 8), a9 = hn::Iota(d, 9),
       a10 = hn::Iota(d, 10), a11 = hn::Iota(d, 11);
  for (int64_t i = 0; i < rounds; ++i) {
    a0 = hn::MulAdd(a0, factor, term);
    a1 = hn::MulAdd(a1, factor, term);
    a2 = hn::MulAdd(a2, factor, term);
    a3 = hn::MulAdd(a3, factor, term);
    a4 = hn::MulAdd(a4, factor, term);
    a5 = hn::MulAdd(a5, factor, term);
    a6 = hn::MulAdd(a6, factor, term);
    a7 = hn::MulAdd(a7, factor, term);
    a8 = hn::MulAdd(a8, factor, term);
    a9 = hn::MulAdd(a9, factor, term);
    a10 = hn::MulAdd(a10, factor, term);
    a11 = hn::MulAdd(a11, factor, term);
  }
  const auto sum =
      hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)),
              hn::Add(hn::Add(hn::Add(a4, a5), hn::Add(a6, a7)), hn::Add(hn::Add(a8, a9), hn::Add(a10, a11))));
  *sink += hn::GetLane(hn::SumOfLanes(d, sum));
  return static_cast<double>(rounds) * 12 * 2 * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(MultiplyAdds);

double measure_peak_gflops(double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kRounds = 1 << 20;
  const auto multiply_adds = VIT_DISPATCH(MultiplyAdds);
  const int64_t threads = thread_count();
  double best = 0;
  double total = 0;
  do {
    std::vector<double> operations(static_cast<std::size_t>(threads));
    const auto begin = Clock::now();
    parallel_for(threads, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        float sink = 0;
        operations[static_cast<std::size_t>(i)] = multiply_adds(kRounds, &sink) + (sink > 1e30f ? 1 : 0);
      }
    });
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    double sum = 0;
    for (double x : operations) sum += x;
    best = std::max(best, sum / elapsed / 1e9);
    total += elapsed;
  } while (total < seconds);
  return best;
}

}  // namespace vit
#endif
