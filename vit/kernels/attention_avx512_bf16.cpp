#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cmath>
#include <cstdint>

#include "vit/kernels/attention_bf16.h"

#if defined(__x86_64__)

// All headers of others come before this line, so that none of their functions is compiled for this target.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 on its own _mm512_undefined_ps
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")

#include "vit/kernels/avx512_bf16_inl.h"

namespace vit {
namespace {

// Scores are kept in base 2.
constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
constexpr int64_t kTileQueries = Bf16Plan::kTileQueries;

VIT_INLINE VectorRows<const Pair> fixed(const VectorRows<Pair>& m) { return {m.data, m.stride}; }
VIT_INLINE PairElements transposed(const VectorRows<Pair>& m) { return {m.data, 1, m.stride}; }
/// Rows of bf16 that lie in the front half of rows of floats.
VIT_INLINE PairElements front_halves(const VectorRows<float>& m) {
  return {reinterpret_cast<const AnyPair*>(m.data), m.stride, 1};
}

/// A range of keys: the unit of the online softmax.
struct KeyBlock {
  int64_t index, begin, count;
};
template <class Body>
VIT_INLINE void for_key_blocks(const Bf16Plan& plan, Body body) {
  for (int64_t begin = 0, index = 0; begin < plan.keys; begin += plan.key_block, ++index)
    body(KeyBlock{index, begin, smaller(plan.key_block, plan.keys - begin)});
}

/// Keys (or values) as the right factor of the scores.
struct ScoreFactor {
  Bf16Rows rows;  // [Nk, K]
  Pair* turned;   // transposed, block by block

  VIT_INLINE void pack(const Bf16Plan& plan) const {
    for_key_blocks(plan, [&](const KeyBlock& block) {
      pack_transposed(rows.slice(block.begin, block.count - by_dots(plan, block)), block_of(plan, block));
    });
  }

  /// scores [queries, keys of the block] = x rows^T, x as pairs along the rows.
  VIT_INLINE void multiply(const Bf16Plan& plan, const KeyBlock& block, int64_t queries, VectorRows<const Pair> x,
                           VectorRows<float> scores) const {
    const int64_t dots = by_dots(plan, block), whole = block.count - dots;
    gemm(queries, whole, plan.head_pairs(), {x.data, x.stride, 1}, fixed(block_of(plan, block)), false, scores);
    if (dots > 0) dot_products(queries, x, rows.slice(block.begin + whole, dots), {scores.data + whole, scores.stride});
  }

 private:
  VIT_INLINE VectorRows<Pair> block_of(const Bf16Plan& plan, const KeyBlock& block) const {
    return {turned + block.index * plan.transposed_block(), plan.score_stride};
  }

  /// How many keys at the end of a block are left to dot products along the head: a class token makes one key more than
  /// whole vectors, and a vector for it alone would cost as much as one that is full.
  VIT_INLINE static int64_t by_dots(const Bf16Plan& plan, const KeyBlock& block) {
    const int64_t rest = block.count % kLanes, cost = plan.head_stride / (2 * kLanes) + 4;  // of a dot, in products
    return rest * cost < plan.head_pairs() ? rest : 0;
  }
};

/// scores [queries, keys of the block] = scale scores + the bias of the queries from `first`.
__attribute__((noinline)) void add_bias(const Bf16Bias& bias, float scale, int64_t first, int64_t queries,
                                        const KeyBlock& block, VectorRows<float> scores) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t i = 0; i < queries; ++i) {
    const float* from = bias.data + (first + i) * bias.stride + block.begin;
    float* to = scores.row(i);
    for (int64_t c = 0; c < block.count; c += kLanes) {
      const __m512 term = _mm512_maskz_loadu_ps(first16(block.count - c), from + c);
      _mm512_storeu_ps(to + c, _mm512_fmadd_ps(factor, _mm512_loadu_ps(to + c), term));
    }
  }
}

/// The maxima of four rows; lanes after the last key become -inf in memory.
VIT_INLINE Four mask_tail_and_max(int64_t keys, VectorRows<float> scores) {
  const int64_t last = (keys - 1) / kLanes * kLanes;
  const __mmask16 inside = first16(keys - last);
  __m512 top[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    top[r] = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), inside, scores.row(r) + last);
    _mm512_storeu_ps(scores.row(r) + last, top[r]);
  }
  for (int64_t c = 0; c < last; c += kLanes)
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) top[r] = _mm512_max_ps(top[r], _mm512_loadu_ps(scores.row(r) + c));
  return join(top, MaxOf());
}

/// 2^(scale scores - shift) in four rows, as bf16 at the front of each; returns the sums.
VIT_INLINE Four exp2_and_sum(int64_t keys, float scale, const Four& shift, VectorRows<float> scores) {
  const __m512 factor = _mm512_set1_ps(scale);
  __m512 sum[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512 minus_shift = _mm512_set1_ps(-shift.row[r]);
    float* row = scores.row(r);
    auto* narrow = reinterpret_cast<BFloat16*>(row);
    const auto weight = [&](int64_t c) {
      return exp2_ps(_mm512_fmadd_ps(_mm512_loadu_ps(row + c), factor, minus_shift));
    };
    __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
    int64_t c = 0;
    for (; c + kLanes < keys; c += 2 * kLanes) {
      const __m512 low = weight(c), high = weight(c + kLanes);
      sum0 = _mm512_add_ps(sum0, low);
      sum1 = _mm512_add_ps(sum1, high);
      _mm512_storeu_si512(narrow + c, as_bits(_mm512_cvtne2ps_pbh(high, low)));
    }
    if (c < keys) {
      const __m512 low = weight(c);
      sum0 = _mm512_add_ps(sum0, low);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(narrow + c), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(low)));
    }
    sum[r] = _mm512_add_ps(sum0, sum1);
  }
  return join(sum, SumOf());
}

VIT_INLINE void scale_row(int64_t count, float factor, float* values) {
  for (int64_t c = 0; c < count; c += kLanes)
    _mm512_storeu_ps(values + c, _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_loadu_ps(values + c)));
}

/// Scores of a block of keys become weights 2^(scale (score - max)); the sums so far are rescaled to the new maxima.
/// Works on whole groups of four queries, what the last ones hold does not matter.
__attribute__((noinline)) void online_softmax(const Bf16Forward& call, int64_t queries, const KeyBlock& block,
                                              VectorRows<float> scores) {
  const float scale = kLog2E * call.score_scale;
  for (int64_t i = 0; i < queries; i += 4) {
    const VectorRows<float> four{scores.row(i), scores.stride};
    if (call.ahead != nullptr) call.ahead->step(4);
    Four top = mask_tail_and_max(block.count, four);
    float kept[4] = {};
    for (int r = 0; r < 4; ++r) {
      top.row[r] *= scale;
      if (block.index == 0) continue;
      const float before = call.max[i + r];
      if (before > top.row[r]) top.row[r] = before;
      const float shrink = exp2f(before - top.row[r]);
      kept[r] = call.weight[i + r] * shrink;
      if (shrink != 1) scale_row(call.plan.head_size, shrink, call.sums + (i + r) * call.plan.head_stride);
    }
    const Four sum = exp2_and_sum(block.count, scale, top, four);
    for (int r = 0; r < 4; ++r) {
      call.max[i + r] = top.row[r];
      call.weight[i + r] = kept[r] + sum.row[r];
    }
  }
}

/// The results of the queries from `first`.
VIT_INLINE void finish_forward(const Bf16Forward& call, int64_t first, int64_t queries) {
  const int64_t size = call.plan.head_size;
  for (int64_t i = 0; i < queries; ++i) {
    const float* sums = call.sums + i * call.plan.head_stride;
    if (call.out != nullptr)
      store_row(sums, size, 1 / call.weight[i], call.out + (first + i) * call.out_stride);
    else
      store_row(sums, size, call.out_scale / call.weight[i], call.out_i8 + (first + i) * call.out_stride);
    if (call.log_sum_exp != nullptr) call.log_sum_exp[first + i] = kLn2 * (call.max[i] + log2f(call.weight[i]));
  }
}

}  // namespace

void attention_forward_avx512_bf16(const Bf16Forward& call) {
  const Bf16Plan& plan = call.plan;
  const VectorRows<Pair> queries{call.queries, plan.head_stride / 2}, values{call.values, plan.head_stride};
  const VectorRows<float> scores{call.scores, plan.score_stride}, sums{call.sums, plan.head_stride};
  const ScoreFactor keys{call.k, call.keys};
  keys.pack(plan);
  pack_row_pairs(call.v, values);
  for (int64_t first = 0; first < plan.queries; first += kTileQueries) {
    const int64_t count = smaller(kTileQueries, plan.queries - first);
    pack_rows(call.q.slice(first, count), queries);
    for_key_blocks(plan, [&](const KeyBlock& block) {
      keys.multiply(plan, block, count, fixed(queries), scores);
      if (call.bias.data != nullptr) add_bias(call.bias, call.scale, first, count, block, scores);
      online_softmax(call, count, block, scores);
      const VectorRows<const Pair> from{values.row(block.begin / 2), values.stride};
      gemm(count, plan.head_size, (block.count + 1) / 2, front_halves(scores), from, block.index != 0, sums);
    });
    finish_forward(call, first, count);
  }
}

namespace {

VIT_INLINE float dot(const BFloat16* x, const BFloat16* y, int64_t count) {
  __m512 sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < count; c += 2 * kLanes) {
    const __mmask32 inside = first32(count - c);
    sum = _mm512_dpbf16_ps(sum, as_bf16(_mm512_maskz_loadu_epi16(inside, x + c)),
                           as_bf16(_mm512_maskz_loadu_epi16(inside, y + c)));
  }
  return _mm512_reduce_add_ps(sum);
}

/// 32 probabilities of a query, and the gradient of its scores, as bf16.
struct ScoreGradient {
  __m512i p, dscores;
};

/// What a row of the softmax gradient needs; scores are in base 2.
struct GradientRow {
  float *scores, *dscores;  // dscores has dout v^T; its front half becomes the gradient in bf16
  __m512 score_scale, minus_shift, scale, minus_delta;
  float* dbias;  // with kBias: null or this row's gradient of the bias
  __m512 inverse_scale;

  template <bool kBias>
  VIT_INLINE ScoreGradient at(int64_t c, __mmask32 inside) const {
    const __m512 p0 = probability(c), p1 = probability(c + kLanes);
    const __m512 d0 = _mm512_mul_ps(p0, centred(c)), d1 = _mm512_mul_ps(p1, centred(c + kLanes));
    if (kBias && dbias != nullptr) {
      add_to_bias(c, static_cast<__mmask16>(inside), d0);
      add_to_bias(c + kLanes, static_cast<__mmask16>(inside >> 16), d1);
    }
    return {_mm512_maskz_mov_epi16(inside, as_bits(_mm512_cvtne2ps_pbh(p1, p0))),
            _mm512_maskz_mov_epi16(inside, as_bits(_mm512_cvtne2ps_pbh(d1, d0)))};
  }
  VIT_INLINE void keep(int64_t c, __m512i gradient) const {
    _mm512_storeu_si512(reinterpret_cast<uint16_t*>(dscores) + c, gradient);
  }

 private:
  VIT_INLINE __m512 probability(int64_t c) const {
    return exp2_ps(_mm512_fmadd_ps(_mm512_loadu_ps(scores + c), score_scale, minus_shift));
  }
  VIT_INLINE __m512 centred(int64_t c) const {
    return _mm512_fmadd_ps(_mm512_loadu_ps(dscores + c), scale, minus_delta);
  }
  VIT_INLINE void add_to_bias(int64_t c, __mmask16 inside, __m512 gradient) const {
    const __m512 sum = _mm512_fmadd_ps(gradient, inverse_scale, _mm512_maskz_loadu_ps(inside, dbias + c));
    _mm512_mask_storeu_ps(dbias + c, inside, sum);
  }
};

/// A tile of queries of a block; scores and dscores as the products left them.
struct GradientTile {
  int64_t queries, keys;
  VectorRows<float> scores, dscores;
  const float *log2_sum_exp, *delta;
  float score_scale, scale;
  VectorRows<Pair> probabilities, dscores_of_queries;
  LookAhead* ahead;
  VectorRows<float> dbias;

  VIT_INLINE GradientRow row(int64_t i) const {
    return {scores.row(i),
            dscores.row(i),
            _mm512_set1_ps(kLog2E * score_scale),
            _mm512_set1_ps(-log2_sum_exp[i]),
            _mm512_set1_ps(scale),
            _mm512_set1_ps(-delta[i]),
            dbias.data == nullptr ? nullptr : dbias.row(i),
            _mm512_set1_ps(1 / scale)};
  }
};

/// The probabilities as pairs of queries, and the gradient of the scores both so and as pairs of keys. A last query
/// without a partner is paired with itself; the other factors of the products have a row of zeros there.
template <bool kBias>
__attribute__((noinline)) void softmax_gradient(const GradientTile& tile) {
  for (int64_t i = 0; i < tile.queries; i += 2) {
    if (tile.ahead != nullptr) tile.ahead->step(2);
    const GradientRow row0 = tile.row(i);
    GradientRow row1 = tile.row(smaller(i + 1, tile.queries - 1));
    if (kBias && i + 1 == tile.queries) row1.dbias = nullptr;
    Pair* p = tile.probabilities.row(i / 2);
    Pair* dscores = tile.dscores_of_queries.row(i / 2);
    for (int64_t c = 0; c < tile.keys; c += 2 * kLanes) {
      const __mmask32 inside = first32(tile.keys - c);
      const ScoreGradient first = row0.at<kBias>(c, inside), second = row1.at<kBias>(c, inside);
      row0.keep(c, first.dscores);
      row1.keep(c, second.dscores);
      const RowPairs p_pairs = pairs_of(first.p, second.p), d_pairs = pairs_of(first.dscores, second.dscores);
      _mm512_storeu_si512(p + c, p_pairs.low);
      _mm512_storeu_si512(p + c + kLanes, p_pairs.high);
      _mm512_storeu_si512(dscores + c, d_pairs.low);
      _mm512_storeu_si512(dscores + c + kLanes, d_pairs.high);
    }
  }
}

/// The queries of a block in all the forms that the products need.
VIT_INLINE void pack_queries(const Bf16Backward& call, int64_t first, int64_t count) {
  const int64_t stride = call.plan.head_stride;
  const Bf16Rows q = call.q.slice(first, count), dout = call.dout.slice(first, count);
  pack_rows(q, {call.queries, stride / 2});
  pack_rows(dout, {call.dout_rows, stride / 2});
  pack_row_pairs(q, {call.query_pairs, stride});
  pack_row_pairs(dout, {call.dout_pairs, stride});
  for (int64_t i = 0; i < count; ++i) {
    call.log2_sum_exp[i] = kLog2E * call.log_sum_exp[first + i];
    call.delta[i] = call.scale * dot(dout.row(i), call.out.row(first + i), call.plan.head_size);
  }
}

/// A block of queries from `first` against a block of keys.
VIT_INLINE void backward_block(const Bf16Backward& call, int64_t first, int64_t queries, const KeyBlock& block) {
  const Bf16Plan& plan = call.plan;
  const int64_t stride = plan.head_stride, size = plan.head_size;
  const VectorRows<float> scores{call.scores, plan.score_stride}, dscores{call.dscores, plan.score_stride};
  const VectorRows<Pair> p{call.probabilities, plan.score_stride}, ds{call.dscores_of_queries, plan.score_stride};
  const bool add = first != 0;  // dkeys and dvalues hold sums already
  for (int64_t tile = 0; tile < queries; tile += kTileQueries) {
    const int64_t count = smaller(kTileQueries, queries - tile);
    const auto rows_of = [&](const Pair* packed) {
      return VectorRows<const Pair>{packed + tile * (stride / 2), stride / 2};
    };
    ScoreFactor{call.k, call.keys_transposed}.multiply(plan, block, count, rows_of(call.queries), scores);
    ScoreFactor{call.v, call.values_transposed}.multiply(plan, block, count, rows_of(call.dout_rows), dscores);
    if (call.bias.data != nullptr) add_bias(call.bias, call.scale, first + tile, count, block, scores);
    float* dbias = call.dbias == nullptr ? nullptr : call.dbias + (first + tile) * call.dbias_stride + block.begin;
    const GradientTile work{count,
                            block.count,
                            scores,
                            dscores,
                            call.log2_sum_exp + tile,
                            call.delta + tile,
                            call.score_scale,
                            call.scale,
                            {p.row(tile / 2), p.stride},
                            {ds.row(tile / 2), ds.stride},
                            call.ahead,
                            {dbias, call.dbias_stride}};
    if (dbias == nullptr)
      softmax_gradient<false>(work);
    else
      softmax_gradient<true>(work);
    gemm(count, size, (block.count + 1) / 2, front_halves(dscores), {call.keys + block.begin / 2 * stride, stride},
         block.index != 0, {call.dqueries + tile * stride, stride});
  }
  const int64_t depth = (queries + 1) / 2;
  gemm(block.count, size, depth, transposed(p), {call.dout_pairs, stride}, add,
       {call.dvalues + block.begin * stride, stride});
  gemm(block.count, size, depth, transposed(ds), {call.query_pairs, stride}, add,
       {call.dkeys + block.begin * stride, stride});
}

VIT_INLINE void store_rows(const float* from, int64_t from_stride, int64_t rows, int64_t cols, BFloat16* to,
                           int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r) store_row(from + r * from_stride, cols, 1, to + r * to_stride);
}

}  // namespace

void attention_backward_avx512_bf16(const Bf16Backward& call) {
  const Bf16Plan& plan = call.plan;
  const int64_t stride = plan.head_stride, size = plan.head_size;
  ScoreFactor{call.k, call.keys_transposed}.pack(plan);
  ScoreFactor{call.v, call.values_transposed}.pack(plan);
  pack_row_pairs(call.k, {call.keys, stride});
  for (int64_t first = 0; first < plan.queries; first += Bf16Plan::kMaxQueryBlock) {
    const int64_t count = smaller(Bf16Plan::kMaxQueryBlock, plan.queries - first);
    pack_queries(call, first, count);
    for_key_blocks(plan, [&](const KeyBlock& block) { backward_block(call, first, count, block); });
    store_rows(call.dqueries, stride, count, size, call.dq + first * call.dq_stride, call.dq_stride);
  }
  store_rows(call.dkeys, stride, plan.keys, size, call.dk, call.dk_stride);
  store_rows(call.dvalues, stride, plan.keys, size, call.dv, call.dv_stride);
}

}  // namespace vit

#else

namespace vit {

void attention_forward_avx512_bf16(const Bf16Forward&) {}
void attention_backward_avx512_bf16(const Bf16Backward&) {}

}  // namespace vit

#endif  // __x86_64__
