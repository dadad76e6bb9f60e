#include "vit/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vit/kernels/attention_plan.h"
#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/attention.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/attention_pack_inl.h"
#include "vit/kernels/attention_scores_inl.h"
#include "vit/kernels/attention_softmax_inl.h"
#include "vit/kernels/micro_gemm_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace attention {

using micro::Gemm;
using Matrix = TensorView<const float>;

// Scores are kept in base 2.
inline constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;

template <class T>
HWY_INLINE Rows<T> rows_of(TensorView<T> m) {
  return {m.data(), m.stride(0)};
}
HWY_INLINE Rows<const float> fixed(const Rows<float>& m) { return {m.data, m.stride}; }
HWY_INLINE micro::Elements elements(const Rows<float>& m) { return {m.data, m.stride, 1}; }
HWY_INLINE micro::Elements transposed(const Rows<float>& m) { return {m.data, 1, m.stride}; }

HWY_INLINE float Dot(const float* x, const float* y, int64_t count) {
  return rows::SumOver(
      count, [=](int64_t i, auto access) HWY_ATTR { return hn::Mul(access.Load(x + i), access.Load(y + i)); });
}

struct ForwardCall {
  Matrix q, k, v;  // k and v [valid keys, K]
  const AttentionOptions& options;
  TensorView<float> out;
  float* log_sum_exp;
};

/// One block of queries against all keys.
HWY_INLINE void ForwardQueries(const ForwardCall& call, const AttentionPlan& plan, const ForwardScratch& scratch,
                               const ScoreFactor& keys, int64_t query) {
  const int64_t count = plan.queries_from(query), size = plan.head_size, stride = plan.head_stride;
  const Rows<float> scores{scratch.scores, plan.score_stride};
  const Running running{scratch.max, scratch.sum, {scratch.out, stride}};
  ForKeyBlocks(plan, call.k.rows(), [&](const KeyBlock& block) HWY_ATTR {
    const bool first = block.index == 0;
    keys.Multiply(plan, block, rows_of(call.q.slice(query, count)), count, scores);
    if (first)
      FirstSoftmax(count, block.count, scores, running);
    else
      NextSoftmax(count, block.count, size, scores, running);
    if (call.options.dropout.rate > 0)
      DropBlock(call.options.dropout, plan.tokens, query, block.begin, count, block.count, scores);
    Gemm(count, size, block.count, elements(scores), {scratch.values + block.begin * stride, stride}, !first,
         running.out);
  });
  for (int64_t i = 0; i < count; ++i) {
    UnpackRow(running.out.row(i), size, 1 / running.sum[i], call.out[query + i].data());
    if (call.log_sum_exp != nullptr) call.log_sum_exp[query + i] = kLn2 * (running.max[i] + std::log2(running.sum[i]));
  }
}

void Forward(const ForwardCall& call, float* memory) {
  const AttentionPlan plan(call.q.rows(), call.q.cols());
  ScratchPieces pieces(memory);
  const ForwardScratch scratch(plan, pieces);
  const ScoreFactor keys{call.k, kLog2E * call.options.scale, scratch.keys};
  keys.Pack(plan);
  PackRows(call.v, {scratch.values, plan.head_stride});
  for (int64_t query = 0; query < plan.tokens; query += plan.query_block)
    ForwardQueries(call, plan, scratch, keys, query);
}

struct BackwardCall {
  Matrix dout, q, k, v, out;  // k and v [valid keys, K]
  const float* log_sum_exp;
  const AttentionOptions& options;
  const AttentionGradients& gradients;
};

/// Where the products leave a gradient [N, K]: in place where they write whole vectors only, else in scratch.
struct GradientTarget {
  TensorView<float> gradient;
  Rows<float> rows;

  GradientTarget(TensorView<float> m, Rows<float> scratch) : gradient(m), rows(InPlace() ? rows_of(m) : scratch) {}

  HWY_INLINE void Finish() const {
    if (!InPlace()) UnpackRows(fixed(rows), gradient);
  }

 private:
  HWY_INLINE bool InPlace() const { return micro::WholeVectors(gradient.cols()); }
};

/// What all blocks of queries share.
struct BackwardState {
  AttentionPlan plan;
  BackwardScratch scratch;
  ScoreFactor keys, values;
  GradientTarget dk, dv;
};

/// One block of queries against all keys: its dq, and its part of dk and dv.
HWY_INLINE void BackwardQueries(const BackwardCall& call, const BackwardState& state, int64_t query) {
  const AttentionPlan& plan = state.plan;
  const BackwardScratch& scratch = state.scratch;
  const int64_t count = plan.queries_from(query), size = plan.head_size, stride = plan.head_stride;
  const Matrix dout = call.dout.slice(query, count), out = call.out.slice(query, count);
  const Rows<float> scores{scratch.scores, plan.score_stride}, dscores{scratch.dscores, plan.score_stride};
  const Rows<float> packed_q{scratch.queries, stride}, packed_dout{scratch.dout, stride};
  const GradientTarget dq(call.gradients.dq.slice(query, count), {scratch.dqueries, stride});
  PackRows(call.q.slice(query, count), packed_q);
  PackRows(dout, packed_dout);
  for (int64_t i = 0; i < count; ++i) {
    scratch.log_sum_exp[i] = kLog2E * call.log_sum_exp[query + i];
    scratch.delta[i] = call.options.scale * Dot(dout[i].data(), out[i].data(), size);
  }
  ForKeyBlocks(plan, call.k.rows(), [&](const KeyBlock& block) HWY_ATTR {
    state.keys.Multiply(plan, block, fixed(packed_q), count, scores);
    state.values.Multiply(plan, block, fixed(packed_dout), count, dscores);
    const GradientBlock softmax{count, block.count, scores, dscores, scratch.log_sum_exp, scratch.delta};
    if (call.options.dropout.rate > 0)
      DroppedSoftmaxGradient(softmax, call.options.dropout, plan.tokens, query, block.begin);
    else
      SoftmaxGradient(softmax);
    const auto from_block = [&](const Rows<float>& m) HWY_ATTR { return Rows<float>{m.row(block.begin), m.stride}; };
    const Rows<float> keys{scratch.keys + block.begin * stride, stride};
    Gemm(count, size, block.count, elements(dscores), fixed(keys), block.index != 0, dq.rows);
    Gemm(block.count, size, count, transposed(scores), fixed(packed_dout), query != 0, from_block(state.dv.rows));
    Gemm(block.count, size, count, transposed(dscores), fixed(packed_q), query != 0, from_block(state.dk.rows));
  });
  dq.Finish();
}

void Backward(const BackwardCall& call, float* memory) {
  const AttentionPlan plan(call.q.rows(), call.q.cols());
  ScratchPieces pieces(memory);
  const BackwardScratch scratch(plan, pieces);
  const int64_t keys = call.k.rows();
  // The scale of the scores' gradient is in v^T and in delta.
  const BackwardState state{plan,
                            scratch,
                            {call.k, kLog2E * call.options.scale, scratch.keys_transposed},
                            {call.v, call.options.scale, scratch.values_transposed},
                            {call.gradients.dk.slice(0, keys), {scratch.dkeys, plan.head_stride}},
                            {call.gradients.dv.slice(0, keys), {scratch.dvalues, plan.head_stride}}};
  state.keys.Pack(plan);
  state.values.Pack(plan);
  PackRows(call.k, {scratch.keys, plan.head_stride});
  for (int64_t query = 0; query < plan.tokens; query += plan.query_block) BackwardQueries(call, state, query);
  state.dk.Finish();
  state.dv.Finish();
}

}  // namespace attention

void AttentionForward(TensorView<const float> q, TensorView<const float> k, TensorView<const float> v,
                      const AttentionOptions& options, TensorView<float> out, float* log_sum_exp, float* scratch) {
  attention::Forward({q, k, v, options, out, log_sum_exp}, scratch);
}

void AttentionBackward(TensorView<const float> dout, TensorView<const float> q, TensorView<const float> k,
                       TensorView<const float> v, TensorView<const float> out, const float* log_sum_exp,
                       const AttentionOptions& options, const AttentionGradients& gradients, float* scratch) {
  attention::Backward({dout, q, k, v, out, log_sum_exp, options, gradients}, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {
namespace {

HWY_EXPORT(AttentionForward);
HWY_EXPORT(AttentionBackward);

int64_t valid_keys(int64_t tokens, const AttentionOptions& options) {
  const int64_t keys = options.valid_tokens < 0 ? tokens : options.valid_tokens;
  if (keys < 1 || keys > tokens)
    fail(ErrorKind::internal, "[attention: valid_tokens] needs 1 to ", tokens, ", has ", keys);
  return keys;
}

void fill_zero(TensorView<float> m) {
  for (int64_t r = 0; r < m.rows(); ++r) std::fill_n(m.data() + r * m.stride(0), m.cols(), 0.0f);
}

}  // namespace

int64_t attention_scratch(int64_t tokens, int64_t head_size) {
  const AttentionPlan plan(tokens, head_size);
  ScratchPieces forward(nullptr), backward(nullptr);
  ForwardScratch(plan, forward);
  BackwardScratch(plan, backward);
  return std::max(forward.needed(), backward.needed());
}

void attention_forward(TensorView<const float> q, TensorView<const float> k, TensorView<const float> v,
                       const AttentionOptions& options, TensorView<float> out, float* log_sum_exp, float* scratch) {
  const int64_t tokens = q.rows(), size = q.cols();
  if (tokens == 0) return;
  check_matrix("attention: q", q, tokens, size);
  check_matrix("attention: k", k, tokens, size);
  check_matrix("attention: v", v, tokens, size);
  check_matrix("attention: out", out, tokens, size);
  const int64_t keys = valid_keys(tokens, options);
  VIT_DISPATCH(AttentionForward)(q, k.slice(0, keys), v.slice(0, keys), options, out, log_sum_exp, scratch);
}

void attention_backward(TensorView<const float> dout, TensorView<const float> q, TensorView<const float> k,
                        TensorView<const float> v, TensorView<const float> out, const float* log_sum_exp,
                        const AttentionOptions& options, const AttentionGradients& gradients, float* scratch) {
  const int64_t tokens = q.rows(), size = q.cols();
  if (tokens == 0) return;
  check_matrix("attention: dout", dout, tokens, size);
  check_matrix("attention: q", q, tokens, size);
  check_matrix("attention: k", k, tokens, size);
  check_matrix("attention: v", v, tokens, size);
  check_matrix("attention: out", out, tokens, size);
  check_matrix("attention: dq", gradients.dq, tokens, size);
  check_matrix("attention: dk", gradients.dk, tokens, size);
  check_matrix("attention: dv", gradients.dv, tokens, size);
  const int64_t keys = valid_keys(tokens, options);
  VIT_DISPATCH(AttentionBackward)
  (dout, q, k.slice(0, keys), v.slice(0, keys), out, log_sum_exp, options, gradients, scratch);
  fill_zero(gradients.dk.slice(keys, tokens - keys));
  fill_zero(gradients.dv.slice(keys, tokens - keys));
}

void attention_map(TensorView<const float> q, TensorView<const float> k, const AttentionOptions& options,
                   TensorView<float> p) {
  const int64_t tokens = q.rows(), size = q.cols();
  if (tokens == 0) return;
  check_matrix("attention: q", q, tokens, size);
  check_matrix("attention: k", k, tokens, size);
  check_matrix("attention: p", p, tokens, tokens);
  const int64_t keys = valid_keys(tokens, options);
  for (int64_t i = 0; i < tokens; ++i) {
    float* row = p[i].data();
    for (int64_t j = 0; j < keys; ++j) {
      float score = 0;
      for (int64_t c = 0; c < size; ++c) score += q(i, c) * k(j, c);
      row[j] = options.scale * score;
    }
    const float top = *std::max_element(row, row + keys);
    float sum = 0;
    for (int64_t j = 0; j < keys; ++j) sum += row[j] = std::exp(row[j] - top);
    for (int64_t j = 0; j < keys; ++j) row[j] /= sum;
    std::fill(row + keys, row + tokens, 0.0f);
  }
}

}  // namespace vit
#endif  // HWY_ONCE
