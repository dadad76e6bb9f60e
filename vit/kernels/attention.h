// Scaled dot-product attention of one image and head, fused: scores live in a block of registers and cache and
// never as [N, N] in memory. Online softmax: Milakov and Gimelshein, arXiv:1805.02867; the blocked forward and
// backward: Dao et al., arXiv:2205.14135. All functions run on the calling thread;
// results must not overlap inputs.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"
#include "vit/kernels/elementwise.h"

namespace vit {

struct AttentionOptions {
  float scale = 1;            // of the scores, usually 1 / sqrt(K)
  int64_t valid_tokens = -1;  // keys at and after this index are masked, at least 1 is not; -1 = all N are valid
  DropoutMask dropout;        // on the probabilities; mask index = query * N rounded up to 4 + key
};

/// Scratch in floats that one call needs, for N tokens and head size K; grows with N, not N * N. Its content is of no
/// meaning before and after a call, and it may lie at any address.
int64_t attention_scratch(int64_t tokens, int64_t head_size);

/// out [N, K] = softmax(scale q k^T) v, q k v [N, K], rows may be strided (qkv in one matrix). log_sum_exp [N]
/// is written for backward unless null. Rows of masked queries are computed like any other.
void attention_forward(TensorView<const float> q, TensorView<const float> k, TensorView<const float> v,
                       const AttentionOptions& options, TensorView<float> out, float* log_sum_exp, float* scratch);

/// dq, dk, dv [N, K] are overwritten; `out` and `log_sum_exp` as forward wrote them.
struct AttentionGradients {
  TensorView<float> dq, dk, dv;
};
void attention_backward(TensorView<const float> dout, TensorView<const float> q, TensorView<const float> k,
                        TensorView<const float> v, TensorView<const float> out, const float* log_sum_exp,
                        const AttentionOptions& options, const AttentionGradients& gradients, float* scratch);

/// The maps themselves, for those who look at them: p [N, N] = softmax(scale q k^T).
void attention_map(TensorView<const float> q, TensorView<const float> k, const AttentionOptions& options,
                   TensorView<float> p);

}  // namespace vit
