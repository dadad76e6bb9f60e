// The most that one thread of this processor can compute, to quote speeds against.
#pragma once

namespace vit {

/// fp32 GF/s of one thread: independent multiply-adds that stay in registers, for about 20 ms, with the
/// instruction set in use. The best of several short runs, so that a busy machine disturbs it little.
double measured_peak_gflops();

}  // namespace vit
