// The most that one thread of this processor can compute, to quote speeds against.
#pragma once

#include <cstdint>

#include "vit/core/dtype.h"

namespace vit {

/// GF/s of one thread: independent multiply-adds that stay in registers, for about 20 ms, with the instruction set in
/// use. The best of several short runs, so that a busy machine disturbs it little. bf16 and int8 without instructions
/// of their own have the peak of fp32.
double measured_peak_gflops(DType dtype = DType::f32);

/// The loop behind it: how many operations (two a multiply-add) its `rounds` rounds did; `sink` keeps them alive.
double run_multiply_adds(DType dtype, int64_t rounds, float* sink);

}  // namespace vit
