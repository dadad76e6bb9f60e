// The most that one thread of this processor can compute, to quote speeds against.
#pragma once

#include "vit/core/dtype.h"

namespace vit {

/// GF/s of one thread: independent multiply-adds that stay in registers, for about 20 ms, with the instruction set in
/// use. The best of several short runs, so that a busy machine disturbs it little. bf16 and int8 without instructions
/// of their own have the peak of fp32.
double measured_peak_gflops(DType dtype = DType::f32);

}  // namespace vit
