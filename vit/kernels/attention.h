// Scaled dot-product attention of one image and head, fused: scores live in a block of registers and cache and
// never as [Nq, Nk] in memory. Online softmax: Milakov and Gimelshein, arXiv:1805.02867; the blocked forward and
// backward: Dao et al., arXiv:2205.14135. All functions run on the calling thread; results must not overlap inputs.
//
// Queries [Nq, K] and keys [Nk, K] may differ in number: a range of an image's queries against all of its keys.
// A query's results do not depend on which others come with it, so any cut of the queries gives the same bits; dk and
// dv are sums over the queries of the call. Element types: q, k, v (and dout, dq, dk, dv) all fp32 or all bf16; sums
// and softmax are in fp32 for both, and products of bf16 are as well where the processor has no bf16 arithmetic.
#pragma once

#include <cstdint>

#include "vit/core/matrix.h"
#include "vit/core/tensor_view.h"
#include "vit/kernels/elementwise.h"
#include "vit/kernels/look_ahead.h"

namespace vit {

struct AttentionOptions {
  float scale = 1;             // of the scores, usually 1 / sqrt(K)
  int64_t valid_tokens = -1;   // keys at and after this index are masked, at least 1 is not; -1 = all Nk are valid
  int64_t first_query = 0;     // the index of q's first row in its image, for the dropout mask
  float out_scale = 1;         // factor of an int8 `out`, before it is rounded
  LookAhead* ahead = nullptr;  // what the next call uses; null = nothing is known
  DropoutMask dropout;         // on the probabilities; mask index = (first_query + row) * Nk rounded up to 4 + key
  // [Nq, Nk], finite numbers that are added to the scaled scores; null = none. Its row i is that of q's row i, whatever
  // first_query is: a caller with the bias of a whole image slices it as it sliced q.
  TensorView<const float> bias = {};
};

/// Scratch in floats that one forward or backward call needs, for Nq queries, Nk keys (or fewer of either), head size
/// K and the type of q; grows with Nq + Nk, not Nq * Nk. Its content is of no meaning before and after a call, and it
/// may lie at any address.
int64_t attention_scratch(int64_t queries, int64_t keys, int64_t head_size, DType type);

/// out [Nq, K] = softmax(scale q k^T + bias) v, q [Nq, K], k v [Nk, K]; rows may be strided (qkv in one matrix). `out`
/// is of q's type, or int8: out_scale times the result, rounded to nearest, within +-127. log_sum_exp [Nq] is written
/// for backward unless null. Rows of masked queries are computed like any other. Throws Error (internal) for shapes or
/// types that do not fit.
void attention_forward(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                       float* log_sum_exp, float* scratch);

/// dq [Nq, K], dk, dv [Nk, K] are overwritten; dbias [Nq, Nk], null where it is not wanted, is added to, columns of
/// masked keys excepted. `out` (of q's type) and `log_sum_exp` as forward wrote them. Throws Error (internal) for
/// shapes or types that do not fit, or dbias with a scale of 0.
struct AttentionGradients {
  Matrix dq, dk, dv;
  TensorView<float> dbias = {};
};
void attention_backward(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                        const float* log_sum_exp, const AttentionOptions& options, const AttentionGradients& gradients,
                        float* scratch);

/// The maps themselves, for those who look at them: p [Nq, Nk] = softmax(scale q k^T + bias), q and k fp32 or
/// bf16.
void attention_map(ConstMatrix q, ConstMatrix k, const AttentionOptions& options, TensorView<float> p);

}  // namespace vit
