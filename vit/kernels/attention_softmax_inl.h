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
#include "vit/kernels/four_rows_inl.h"
#include "vit/kernels/micro_gemm_inl.h"
#include "vit/kernels/philox_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace attention {

namespace hn = hwy::HWY_NAMESPACE;
using four_rows::Four;
using micro::F32;
using micro::Rows;

/// 2^v for v up to 127: 0 below -125 (so for -inf too), NaN for NaN, wrong above 127. At most 1 ulp. The scores are
/// kept in base 2, which costs nothing and makes the exponential cheaper than e^v.
template <class V>
HWY_INLINE V Exp2(V v) {
  const F32 d;
  const hn::Rebind<int32_t, F32> di;
  // n = round(v), left with the bias of the exponent in the low bits of the float.
  constexpr float kRound = 12582912.0f, kBias = 127.0f;
  const V shifted = hn::Add(v, hn::Set(d, kRound + kBias));
  const V r = hn::Sub(v, hn::Sub(shifted, hn::Set(d, kRound + kBias)));
  // 2^r, |r| <= 1/2; minimax in relative error, 2e-9 (fitted by Lawson's iteration).
  V q = hn::Set(d, 0.0001534581208760032f);
  q = hn::MulAdd(q, r, hn::Set(d, 0.0013399931308544328f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.009618488957581984f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.05550328776744733f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.2402264689062239f));
  q = hn::MulAdd(q, r, hn::Set(d, 0.6931472057373693f));
  q = hn::MulAdd(q, r, hn::Set(d, 1.0f));
  const V scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted)));
  return hn::IfThenZeroElse(hn::Lt(v, hn::Set(d, -125.0f)), hn::Mul(q, scale));
}

/// to [queries, keys] += factor * from, rows of either at any length.
HWY_NOINLINE void AddScaled(int64_t queries, int64_t keys, float factor, Rows<const float> from, Rows<float> to) {
  const auto scale = hn::Set(rows::DF(), factor);
  for (int64_t q = 0; q < queries; ++q)
    rows::Map(from.row(q), to.row(q), keys, to.row(q),
              [=](auto v, auto sum) HWY_ATTR { return hn::MulAdd(v, scale, sum); });
}

/// What the online softmax knows of a block of queries after some blocks of keys. There is room for whole groups of
/// four queries.
struct Running {
  float* max;       // of the scores so far
  float* sum;       // of 2^(score - max)
  Rows<float> out;  // sum of 2^(score - max) v
  LookAhead* ahead;
};

/// The maxima of four rows; lanes after the last key become -inf in memory, so that their exponential is 0.
HWY_INLINE Four MaskTailAndMax(int64_t keys, Rows<float> scores) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t last = (keys - 1) / lanes * lanes;
  const auto inside = hn::FirstN(d, static_cast<std::size_t>(keys - last));
  const auto nothing = hn::Set(d, -std::numeric_limits<float>::infinity());
  hn::Vec<F32> top[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    top[r] = hn::IfThenElse(inside, hn::LoadU(d, scores.row(r) + last), nothing);
    hn::StoreU(top[r], d, scores.row(r) + last);
  }
  for (int64_t c = 0; c < last; c += lanes)
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) top[r] = hn::Max(top[r], hn::LoadU(d, scores.row(r) + c));
  return four_rows::Join(top, four_rows::Max());
}

/// scores = 2^(scores - shift) in four rows; returns their sums.
HWY_INLINE Four Exp2AndSum(int64_t keys, const float* shift, Rows<float> scores) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<F32> subtract[4], sum[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    subtract[r] = hn::Set(d, shift[r]);
    sum[r] = hn::Zero(d);
  }
  for (int64_t c = 0; c < keys; c += lanes)
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const auto e = Exp2(hn::Sub(hn::LoadU(d, scores.row(r) + c), subtract[r]));
      hn::StoreU(e, d, scores.row(r) + c);
      sum[r] = hn::Add(sum[r], e);
    }
  return four_rows::Join(sum, four_rows::Sum());
}

HWY_INLINE void ScaleRow(int64_t count, float factor, float* values) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < count; c += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, values + c), hn::Set(d, factor)), d, values + c);
}

/// The first block of keys: scores [queries, keys] = 2^(scores - max).
HWY_NOINLINE void FirstSoftmax(int64_t queries, int64_t keys, Rows<float> scores, const Running& running) {
  for (int64_t q = 0; q < queries; q += 4) {
    const Rows<float> four{scores.row(q), scores.stride};
    if (running.ahead != nullptr) running.ahead->step(4);
    const Four top = MaskTailAndMax(keys, four);
    const Four sum = Exp2AndSum(keys, top.row, four);
    std::copy_n(top.row, 4, running.max + q);
    std::copy_n(sum.row, 4, running.sum + q);
  }
}

/// A further block: the sums so far are rescaled to the new maxima.
HWY_NOINLINE void NextSoftmax(int64_t queries, int64_t keys, int64_t head_size, Rows<float> scores,
                              const Running& running) {
  for (int64_t q = 0; q < queries; q += 4) {
    const Rows<float> four{scores.row(q), scores.stride};
    if (running.ahead != nullptr) running.ahead->step(4);
    Four top = MaskTailAndMax(keys, four);
    float shrink[4];
    for (int64_t r = 0; r < 4; ++r) {
      const float before = running.max[q + r];
      top.row[r] = std::max(before, top.row[r]);
      shrink[r] = std::exp2(before - top.row[r]);
      if (shrink[r] != 1) ScaleRow(head_size, shrink[r], running.out.row(q + r));
    }
    const Four sum = Exp2AndSum(keys, top.row, four);
    for (int64_t r = 0; r < 4; ++r) {
      running.max[q + r] = top.row[r];
      running.sum[q + r] = running.sum[q + r] * shrink[r] + sum.row[r];
    }
  }
}

/// The dropout mask of one query over a block of keys, as words to compare with the threshold.
class DropoutRow {
 public:
  DropoutRow(const DropoutMask& mask, int64_t all_keys)
      : mask_(mask),
        row_length_(round_up(all_keys, 4)),
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

/// probabilities [queries, keys] = dropout(probabilities), the first element is of (query, key) of the image.
HWY_NOINLINE void DropBlock(const DropoutMask& mask, int64_t all_keys, int64_t query, int64_t key, int64_t queries,
                            int64_t keys, Rows<float> probabilities) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  DropoutRow drop(mask, all_keys);
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
  const float* log_sum_exp;  // in base 2, like the scores
  const float* delta;
  LookAhead* ahead;
};

HWY_NOINLINE void SoftmaxGradient(const GradientBlock& block) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t q = 0; q < block.queries; ++q) {
    float* HWY_RESTRICT scores = block.scores.row(q);
    float* HWY_RESTRICT dscores = block.dscores.row(q);
    if (block.ahead != nullptr) block.ahead->step(1);
    const auto shift = hn::Set(d, block.log_sum_exp[q]), delta = hn::Set(d, block.delta[q]);
    for (int64_t c = 0; c < block.keys; c += lanes) {
      const auto p = Exp2(hn::Sub(hn::LoadU(d, scores + c), shift));
      hn::StoreU(p, d, scores + c);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, dscores + c), delta)), d, dscores + c);
    }
  }
}

/// The same with the mask of the block whose first element is (query, key).
HWY_NOINLINE void DroppedSoftmaxGradient(const GradientBlock& block, const DropoutMask& mask, int64_t all_keys,
                                         int64_t query, int64_t key) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  DropoutRow drop(mask, all_keys);
  for (int64_t q = 0; q < block.queries; ++q) {
    drop.draw(query + q, key, block.keys);
    float* HWY_RESTRICT scores = block.scores.row(q);
    float* HWY_RESTRICT dscores = block.dscores.row(q);
    if (block.ahead != nullptr) block.ahead->step(1);
    const auto shift = hn::Set(d, block.log_sum_exp[q]), delta = hn::Set(d, block.delta[q]);
    for (int64_t c = 0; c < block.keys; c += lanes) {
      const auto p = Exp2(hn::Sub(hn::LoadU(d, scores + c), shift));
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
