// Attention with products of bf16 in fp32 sums (AVX512_BF16); the functions of attention.h after their checks.
// Probabilities and the gradients of the scores are rounded to bf16 as factors of products.
#pragma once

#include <cstdint>

#include "vit/kernels/attention.h"
#include "vit/kernels/bf16_rows.h"

namespace vit {

/// q, k, v bf16; without dropout.
void attention_forward_bf16(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                            float* log_sum_exp, float* scratch);
/// Rows of dk and dv that belong to masked keys are left alone.
void attention_backward_bf16(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                             const float* log_sum_exp, const AttentionOptions& options,
                             const AttentionGradients& gradients, float* scratch);
int64_t attention_scratch_bf16(int64_t queries, int64_t keys, int64_t head_size);

// What follows is between attention_bf16.cpp and attention_avx512_bf16.cpp; for its form see bf16_rows.h.

/// How the work is cut.
struct Bf16Plan {
  static constexpr int64_t kTileQueries = 24;    // whose scores are in the first cache; a multiple of register tiles
  static constexpr int64_t kMaxQueryBlock = 96;  // whose probabilities backward keeps in the second cache
  static constexpr int64_t kMaxKeyBlock = 256;

  int64_t queries, keys, head_size;
  int64_t key_block;     // of all blocks but the last
  int64_t score_stride;  // of rows over a block of keys
  int64_t head_stride;   // of rows over the head size

  int64_t head_pairs() const { return (head_size + 1) / 2; }
  int64_t transposed_block() const { return head_pairs() * score_stride; }
};
/// Of all keys, or of those that are not masked.
Bf16Plan bf16_plan(int64_t queries, int64_t keys, int64_t head_size);

/// [Nq, Nk], or null. Where there is one, it is added to the scaled scores: then score_scale, what is left to multiply
/// scores by, is 1.
struct Bf16Bias {
  const float* data;
  int64_t stride;
};

struct Bf16Forward {
  Bf16Plan plan;
  Bf16Rows q, k, v;
  float scale, score_scale, out_scale;
  Bf16Bias bias;
  BFloat16* out;   // null for int8
  int8_t* out_i8;  // null for bf16
  int64_t out_stride;
  float* log_sum_exp;
  LookAhead* ahead;
  // Scratch.
  Bf16Pair *keys, *values;              // [K / 2, Nk] by blocks, [Nk / 2, K]
  Bf16Pair* queries;                    // [kTileQueries, K / 2]
  float *scores, *sums, *max, *weight;  // of kTileQueries
};
void attention_forward_avx512_bf16(const Bf16Forward& call);

struct Bf16Backward {
  Bf16Plan plan;
  Bf16Rows dout, q, k, v, out;
  const float* log_sum_exp;
  float scale, score_scale;
  Bf16Bias bias;
  float* dbias;  // [Nq, Nk], or null
  int64_t dbias_stride;
  BFloat16 *dq, *dk, *dv;
  int64_t dq_stride, dk_stride, dv_stride;
  LookAhead* ahead;
  // Scratch. Of all keys:
  Bf16Pair *keys_transposed, *values_transposed;  // [K / 2, Nk] by blocks
  Bf16Pair* keys;                                 // [Nk / 2, K]
  float *dkeys, *dvalues;                         // [Nk, K]
  // Of a block of queries:
  Bf16Pair *queries, *dout_rows;                 // [Nq, K / 2]
  Bf16Pair *query_pairs, *dout_pairs;            // [Nq / 2, K]
  Bf16Pair *probabilities, *dscores_of_queries;  // [Nq / 2, Nk]
  float *dqueries, *log2_sum_exp, *delta;        // [Nq, K], [Nq], [Nq]
  float *scores, *dscores;                       // of kTileQueries
};
void attention_backward_avx512_bf16(const Bf16Backward& call);

}  // namespace vit
