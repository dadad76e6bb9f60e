// The most that the processor can do, as the yardstick of benchmarks.
#pragma once

namespace vit {

/// Multiply-adds in registers only, on all threads at once for about `seconds`: GFLOP/s in fp32 of the active
/// instruction set, the best of several tries.
double measure_peak_gflops(double seconds = 0.3);

}  // namespace vit
