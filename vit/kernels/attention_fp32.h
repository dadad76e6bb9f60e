// Attention with products in fp32, for every instruction set; the functions of attention.h after their checks. Inputs
// of another type are widened into scratch first.
#pragma once

#include "vit/kernels/attention.h"

namespace vit {

void attention_forward_fp32(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                            float* log_sum_exp, float* scratch);
/// Rows of dk and dv that belong to masked keys are left alone.
void attention_backward_fp32(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                             const float* log_sum_exp, const AttentionOptions& options,
                             const AttentionGradients& gradients, float* scratch);
int64_t attention_scratch_fp32(int64_t queries, int64_t keys, int64_t head_size, DType type);

}  // namespace vit
