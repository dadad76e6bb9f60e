#include "vit/kernels/attention_fp32.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vit/kernels/attention_plan.h"
#include "vit/kernels/isa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/attention_fp32.cpp"
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
using View = TensorView<const float>;

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

/// The bias of a block's scores, which are in base 2.
HWY_INLINE void AddBias(View bias, int64_t query, int64_t queries, const KeyBlock& block, Rows<float> scores) {
  if (bias) AddScaled(queries, block.count, kLog2E, {&bias(query, block.begin), bias.stride(0)}, scores);
}

struct ForwardCall {
  View q, k, v;  // k and v [valid keys, K]
  const AttentionOptions& options;
  Matrix out;
  float* log_sum_exp;
};

/// One block of queries against all keys.
HWY_INLINE void ForwardQueries(const ForwardCall& call, const AttentionPlan& plan, const ForwardScratch& scratch,
                               const ScoreFactor& keys, Rows<const float> values, int64_t query) {
  const int64_t count = plan.queries_from(query), size = plan.head_size;
  const Rows<float> scores{scratch.scores, plan.score_stride};
  const Running running{scratch.max, scratch.sum, {scratch.out, plan.head_stride}, call.options.ahead};
  ForKeyBlocks(plan, call.k.rows(), [&](const KeyBlock& block) HWY_ATTR {
    const bool first = block.index == 0;
    keys.Multiply(plan, block, rows_of(call.q.slice(query, count)), count, scores);
    AddBias(call.options.bias, query, count, block, scores);
    if (first)
      FirstSoftmax(count, block.count, scores, running);
    else
      NextSoftmax(count, block.count, size, scores, running);
    if (call.options.dropout.rate > 0)
      DropBlock(call.options.dropout, plan.keys, call.options.first_query + query, block.begin, count, block.count,
                scores);
    Gemm(count, size, block.count, elements(scores), {values.row(block.begin), values.stride}, !first, running.out);
  });
  const float factor = call.out.type() == DType::i8 ? call.options.out_scale : 1;
  for (int64_t i = 0; i < count; ++i) {
    UnpackRows({running.out.row(i), 0}, factor / running.sum[i], call.out.slice(query + i, 1));
    if (call.log_sum_exp != nullptr) call.log_sum_exp[query + i] = kLn2 * (running.max[i] + std::log2(running.sum[i]));
  }
}

/// The values with rows of whole vectors: where they lie if that will do and they are read only once or so, else
/// packed.
HWY_INLINE Rows<const float> PackValues(const AttentionPlan& plan, View v, float* packed) {
  if (plan.queries <= micro::kTileRows && micro::WholeVectors(plan.head_size)) return rows_of(v);
  const Rows<float> rows{packed, plan.head_stride};
  PackRows(v, rows);
  return fixed(rows);
}

void Forward(const ForwardCall& call, const AttentionPlan& plan, const ForwardScratch& scratch) {
  const ScoreFactor keys{call.k, kLog2E * call.options.scale, scratch.keys};
  keys.Pack(plan);
  const Rows<const float> values = PackValues(plan, call.v, scratch.values);
  for (int64_t query = 0; query < plan.queries; query += plan.query_block)
    ForwardQueries(call, plan, scratch, keys, values, query);
}

struct BackwardCall {
  View dout, q, k, v, out;  // k and v [valid keys, K]
  const float* log_sum_exp;
  const AttentionOptions& options;
  const AttentionGradients& gradients;
};

/// Where the products leave a gradient [N, K]: in place where it is fp32 and they write whole vectors only, else in
/// scratch.
struct GradientTarget {
  Matrix gradient;
  Rows<float> rows;

  GradientTarget(const Matrix& m, Rows<float> scratch)
      : gradient(m), rows(InPlace() ? rows_of(m.view<float>()) : scratch) {}

  HWY_INLINE void Finish() const {
    if (!InPlace()) UnpackRows(fixed(rows), 1, gradient);
  }

 private:
  HWY_INLINE bool InPlace() const { return gradient.type() == DType::f32 && micro::WholeVectors(gradient.cols()); }
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
  const View dout = call.dout.slice(query, count), out = call.out.slice(query, count);
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
    AddBias(call.options.bias, query, count, block, scores);
    state.values.Multiply(plan, block, fixed(packed_dout), count, dscores);
    const GradientBlock softmax{count,         block.count,       scores, dscores, scratch.log_sum_exp,
                                scratch.delta, call.options.ahead};
    if (call.options.dropout.rate > 0)
      DroppedSoftmaxGradient(softmax, call.options.dropout, plan.keys, call.options.first_query + query, block.begin);
    else
      SoftmaxGradient(softmax);
    if (const TensorView<float> dbias = call.gradients.dbias)
      AddScaled(count, block.count, 1 / call.options.scale, fixed(dscores),
                {&dbias(query, block.begin), dbias.stride(0)});
    const auto from_block = [&](const Rows<float>& m) HWY_ATTR { return Rows<float>{m.row(block.begin), m.stride}; };
    const Rows<float> keys{scratch.keys + block.begin * stride, stride};
    Gemm(count, size, block.count, elements(dscores), fixed(keys), block.index != 0, dq.rows);
    Gemm(block.count, size, count, transposed(scores), fixed(packed_dout), query != 0, from_block(state.dv.rows));
    Gemm(block.count, size, count, transposed(dscores), fixed(packed_q), query != 0, from_block(state.dk.rows));
  });
  dq.Finish();
}

void Backward(const BackwardCall& call, const AttentionPlan& plan, const BackwardScratch& scratch) {
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
  for (int64_t query = 0; query < plan.queries; query += plan.query_block) BackwardQueries(call, state, query);
  state.dk.Finish();
  state.dv.Finish();
}

}  // namespace attention

void AttentionForward(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                      float* log_sum_exp, float* memory) {
  using attention::Widened;
  const AttentionPlan plan(q.rows(), k.rows(), q.cols());
  const int64_t keys = valid_keys(k.rows(), options), stride = plan.head_stride;
  ScratchPieces pieces(memory);
  const ForwardScratch scratch(plan, q.type(), pieces);
  attention::Forward({Widened(q, stride, scratch.widened.q), Widened(k.slice(0, keys), stride, scratch.widened.k),
                      Widened(v.slice(0, keys), stride, scratch.widened.v), options, out, log_sum_exp},
                     plan, scratch);
}

void AttentionBackward(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                       const float* log_sum_exp, const AttentionOptions& options, const AttentionGradients& gradients,
                       float* memory) {
  using attention::Widened;
  const AttentionPlan plan(q.rows(), k.rows(), q.cols());
  const int64_t keys = valid_keys(k.rows(), options), stride = plan.head_stride;
  ScratchPieces pieces(memory);
  const BackwardScratch scratch(plan, q.type(), pieces);
  attention::Backward(
      {Widened(dout, stride, scratch.widened_dout), Widened(q, stride, scratch.widened.q),
       Widened(k.slice(0, keys), stride, scratch.widened.k), Widened(v.slice(0, keys), stride, scratch.widened.v),
       Widened(out, stride, scratch.widened_out), log_sum_exp, options, gradients},
      plan, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {
namespace {

HWY_EXPORT(AttentionForward);
HWY_EXPORT(AttentionBackward);

}  // namespace

int64_t attention_scratch_fp32(int64_t queries, int64_t keys, int64_t head_size, DType type) {
  const AttentionPlan plan(queries, keys, head_size);
  ScratchPieces forward(nullptr), backward(nullptr);
  ForwardScratch(plan, type, forward);
  BackwardScratch(plan, type, backward);
  return std::max(forward.needed(), backward.needed());
}

void attention_forward_fp32(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                            float* log_sum_exp, float* scratch) {
  VIT_DISPATCH(AttentionForward)(q, k, v, options, out, log_sum_exp, scratch);
}

void attention_backward_fp32(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                             const float* log_sum_exp, const AttentionOptions& options,
                             const AttentionGradients& gradients, float* scratch) {
  VIT_DISPATCH(AttentionBackward)(dout, q, k, v, out, log_sum_exp, options, gradients, scratch);
}

}  // namespace vit
#endif  // HWY_ONCE
