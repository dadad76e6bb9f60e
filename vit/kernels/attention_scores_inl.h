// The products q k^T and dout v^T. Included by attention.cpp after <hwy/highway.h>, once per target, so the guard
// toggles.
#if defined(VIT_KERNELS_ATTENTION_SCORES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_ATTENTION_SCORES_INL_H_
#undef VIT_KERNELS_ATTENTION_SCORES_INL_H_
#else
#define VIT_KERNELS_ATTENTION_SCORES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "vit/core/tensor_view.h"
#include "vit/kernels/attention_pack_inl.h"
#include "vit/kernels/attention_plan.h"
#include "vit/kernels/four_rows_inl.h"
#include "vit/kernels/micro_gemm_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace attention {

namespace hn = hwy::HWY_NAMESPACE;
using micro::F32;
using micro::Rows;

/// A range of keys: the unit of the online softmax.
struct KeyBlock {
  int64_t index, begin, count;
};

template <class Body>
HWY_INLINE void ForKeyBlocks(const AttentionPlan& plan, int64_t keys, Body body) {
  for (int64_t begin = 0, index = 0; begin < keys; begin += plan.key_block, ++index)
    body(KeyBlock{index, begin, std::min(plan.key_block, keys - begin)});
}

/// How many keys at the end of a block are left to dot products along the head: a class token makes one key more
/// than whole vectors, and a vector for it alone would cost as much as one that is full.
HWY_INLINE int64_t KeysByDots(int64_t keys, int64_t head_size) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  const int64_t rest = keys % lanes;
  return head_size % lanes == 0 && rest <= lanes / 4 ? rest : 0;
}

/// to [queries, keys] = scale * x [queries, K] y^T, K a multiple of the vector.
HWY_NOINLINE void DotProducts(Rows<const float> x, TensorView<const float> y, float scale, int64_t queries,
                              Rows<float> to) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t q = 0; q < queries; q += 4) {
    int64_t rows[4];  // the last ones again where there are fewer
    for (int64_t r = 0; r < 4; ++r) rows[r] = std::min(q + r, queries - 1);
    for (int64_t key = 0; key < y.rows(); ++key) {
      const float* row = y.data() + key * y.stride(0);
      hn::Vec<F32> sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      for (int64_t c = 0; c < y.cols(); c += lanes) {
        const auto along = hn::LoadU(d, row + c);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) sum[r] = hn::MulAdd(hn::LoadU(d, x.row(rows[r]) + c), along, sum[r]);
      }
      const four_rows::Four dot = four_rows::Join(sum, four_rows::Sum());
      for (int r = 0; r < 4; ++r) to.row(rows[r])[key] = scale * dot.row[r];
    }
  }
}

/// Keys (or values) as the right factor of the scores.
struct ScoreFactor {
  TensorView<const float> rows;  // [keys, K]
  float scale;
  float* turned;  // transposed and scaled, block by block

  HWY_INLINE void Pack(const AttentionPlan& plan) const {
    ForKeyBlocks(plan, rows.rows(), [&](const KeyBlock& block) HWY_ATTR {
      const int64_t whole = block.count - KeysByDots(block.count, plan.head_size);
      PackTransposed(rows.slice(block.begin, whole), scale, Turned(plan, block));
    });
  }

  /// scores [queries, keys of the block] = scale * x rows^T.
  HWY_INLINE void Multiply(const AttentionPlan& plan, const KeyBlock& block, Rows<const float> x, int64_t queries,
                           Rows<float> scores) const {
    const int64_t dots = KeysByDots(block.count, plan.head_size), whole = block.count - dots;
    const Rows<float> right = Turned(plan, block);
    micro::Gemm(queries, whole, plan.head_size, {x.data, x.stride, 1}, {right.data, right.stride}, false, scores);
    DotProducts(x, rows.slice(block.begin + whole, dots), scale, queries, {scores.data + whole, scores.stride});
  }

 private:
  HWY_INLINE Rows<float> Turned(const AttentionPlan& plan, const KeyBlock& block) const {
    return {turned + block.index * plan.transposed_block(), plan.score_stride};
  }
};

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_ATTENTION_SCORES_INL_H_
