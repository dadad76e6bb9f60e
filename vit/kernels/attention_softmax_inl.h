// Passes over a block of scores [queries, keys] in cache: softmax, its gradient, dropout. Included by attention.cpp
// after <hwy/highway.h>, once per target, so the guard toggles.
#if defined(VIT_KERNELS_ATTENTION_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_ATTENTION_SOFTMAX_INL_H_
#undef VIT_KERNELS_ATTENTION_SOFTMAX_INL_H_
#else
#define VIT_KERNELS_ATTENTION_SOFTMAX_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "vit/kernels/attention_plan.h"
#include "vit/kernels/elementwise.h"
#include "vit/kernels/math_inl.h"
#include "vit/kernels/micro_gemm_inl.h"
#include "vit/kernels/philox_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace attention {

namespace hn = hwy::HWY_NAMESPACE;
using micro::F32;
using micro::Rows;

/// The largest of `count` > 0 values; lanes beyond are replaced by -inf in memory, so that their exponential is 0.
HWY_INLINE float MaskTailAndMax(int64_t count, float* values) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t last = (count - 1) / lanes * lanes;
  const auto inside = hn::FirstN(d, static_cast<size_t>(count - last));
  const auto tail =
      hn::IfThenElse(inside, hn::LoadU(d, values + last), hn::Set(d, -std::numeric_limits<float>::infinity()));
  hn::StoreU(tail, d, values + last);
  auto top = tail;
  for (int64_t c = 0; c < last; c += lanes) top = hn::Max(top, hn::LoadU(d, values + c));
  return hn::GetLane(hn::MaxOfLanes(d, top));
}

/// values = exp(values - shift) for `count` values and the lanes beyond; returns their sum.
HWY_INLINE float ExpAndSum(int64_t count, float shift, float* values) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto subtract = hn::Set(d, shift);
  auto sum = hn::Zero(d);
  for (int64_t c = 0; c < count; c += lanes) {
    const auto e = math::ExpBelow88(d, hn::Sub(hn::LoadU(d, values + c), subtract));
    hn::StoreU(e, d, values + c);
    sum = hn::Add(sum, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

HWY_INLINE void ScaleRow(int64_t count, float factor, float* values) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < count; c += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, values + c), hn::Set(d, factor)), d, values + c);
}

/// What the online softmax knows of a block of queries after some blocks of keys.
struct Running {
  float* max;       // of the scores so far
  float* sum;       // of exp(score - max)
  Rows<float> out;  // sum of exp(score - max) v
};

/// scores [queries, keys] = exp(scores - max); the sums so far are rescaled to the new maxima.
HWY_NOINLINE void OnlineSoftmax(int64_t queries, int64_t keys, int64_t head_size, bool first, Rows<float> scores,
                                const Running& running) {
  for (int64_t q = 0; q < queries; ++q) {
    const float block_max = MaskTailAndMax(keys, scores.row(q));
    if (first) {
      running.max[q] = block_max;
      running.sum[q] = ExpAndSum(keys, block_max, scores.row(q));
      continue;
    }
    const float new_max = std::max(running.max[q], block_max);
    const float shrink = std::exp(running.max[q] - new_max);
    if (shrink != 1) ScaleRow(head_size, shrink, running.out.row(q));
    running.max[q] = new_max;
    running.sum[q] = running.sum[q] * shrink + ExpAndSum(keys, new_max, scores.row(q));
  }
}

/// The dropout mask of one query over a block of keys, as words to compare with the threshold.
class DropoutRow {
 public:
  DropoutRow(const DropoutMask& mask, int64_t tokens)
      : mask_(mask),
        row_length_(round_up(tokens, 4)),
        threshold_(philox::Threshold(mask.rate)),
        keep_scale_(1 / (1 - mask.rate)) {}

  HWY_INLINE void draw(int64_t query, int64_t first_key, int64_t keys) {
    const hn::RebindToUnsigned<F32> d;
    for (int64_t i = 0; i < keys; i += philox::WordsPerCall(d))
      philox::DropoutWords(d, mask_, query * row_length_ + first_key + i, words_ + i);
  }

  /// v / (1 - rate) where kept, 0 where dropped, for the lanes from key c of the block.
  template <class V>
  HWY_INLINE V apply(int64_t c, V v) const {
    const F32 d;
    const hn::RebindToUnsigned<F32> du;
    const auto dropped = hn::RebindMask(d, hn::Lt(hn::LoadU(du, words_ + c), hn::Set(du, threshold_)));
    return hn::IfThenZeroElse(dropped, hn::Mul(v, hn::Set(d, keep_scale_)));
  }

 private:
  const DropoutMask& mask_;
  int64_t row_length_;
  uint32_t threshold_;
  float keep_scale_;
  HWY_ALIGN uint32_t words_[AttentionPlan::kMaxKeyBlock + 64];
};

/// probabilities [queries, keys] = dropout(probabilities), the first element is of (query, key).
HWY_NOINLINE void DropBlock(const DropoutMask& mask, int64_t tokens, int64_t query, int64_t key, int64_t queries,
                            int64_t keys, Rows<float> probabilities) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  DropoutRow drop(mask, tokens);
  for (int64_t q = 0; q < queries; ++q) {
    drop.draw(query + q, key, keys);
    float* row = probabilities.row(q);
    for (int64_t c = 0; c < keys; c += lanes) hn::StoreU(drop.apply(c, hn::LoadU(d, row + c)), d, row + c);
  }
}

/// Backward of softmax and dropout over a block: `scores` becomes the dropped probabilities (the factor of dv), and
/// `dscores`, which holds dout v^T, the gradient of the scores. `delta` is rowsum(dout * out).
struct GradientBlock {
  int64_t queries, keys;
  Rows<float> scores, dscores;
  const float* log_sum_exp;
  const float* delta;
};

HWY_NOINLINE void SoftmaxGradient(const GradientBlock& block) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t q = 0; q < block.queries; ++q) {
    float* HWY_RESTRICT scores = block.scores.row(q);
    float* HWY_RESTRICT dscores = block.dscores.row(q);
    const auto shift = hn::Set(d, block.log_sum_exp[q]), delta = hn::Set(d, block.delta[q]);
    for (int64_t c = 0; c < block.keys; c += lanes) {
      const auto p = math::ExpBelow88(d, hn::Sub(hn::LoadU(d, scores + c), shift));
      hn::StoreU(p, d, scores + c);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, dscores + c), delta)), d, dscores + c);
    }
  }
}

/// The same with the mask of the block whose first element is (query, key).
HWY_NOINLINE void DroppedSoftmaxGradient(const GradientBlock& block, const DropoutMask& mask, int64_t tokens,
                                         int64_t query, int64_t key) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  DropoutRow drop(mask, tokens);
  for (int64_t q = 0; q < block.queries; ++q) {
    drop.draw(query + q, key, block.keys);
    float* HWY_RESTRICT scores = block.scores.row(q);
    float* HWY_RESTRICT dscores = block.dscores.row(q);
    const auto shift = hn::Set(d, block.log_sum_exp[q]), delta = hn::Set(d, block.delta[q]);
    for (int64_t c = 0; c < block.keys; c += lanes) {
      const auto p = math::ExpBelow88(d, hn::Sub(hn::LoadU(d, scores + c), shift));
      const auto dp = drop.apply(c, hn::LoadU(d, dscores + c));
      hn::StoreU(drop.apply(c, p), d, scores + c);
      hn::StoreU(hn::Mul(p, hn::Sub(dp, delta)), d, dscores + c);
    }
  }
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_ATTENTION_SOFTMAX_INL_H_
