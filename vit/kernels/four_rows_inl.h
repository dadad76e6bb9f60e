// Maxima and sums of four rows at once: a quarter of the shuffles that four single reductions take. Included by
// kernel sources after <hwy/highway.h>, once per target, so the guard toggles.
#if defined(VIT_KERNELS_FOUR_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_FOUR_ROWS_INL_H_
#undef VIT_KERNELS_FOUR_ROWS_INL_H_
#else
#define VIT_KERNELS_FOUR_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace four_rows {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;
using V32 = hn::Vec<F32>;

struct Max {
  HWY_INLINE V32 operator()(V32 a, V32 b) const { return hn::Max(a, b); }
};
struct Sum {
  HWY_INLINE V32 operator()(V32 a, V32 b) const { return hn::Add(a, b); }
};

/// One number a row; whole vectors are stored, so there is room behind.
struct Four {
  HWY_ALIGN float row[16];
};

/// The op over all lanes of each of the four vectors.
template <class Op>
HWY_INLINE Four Join(const V32 (&rows)[4], Op op) {
  Four result;
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(op);
  for (int r = 0; r < 4; ++r) result.row[r] = hn::GetLane(rows[r]);
#else
  const F32 d;
  const hn::Repartition<double, F32> pairs;
  const V32 rows01 = op(hn::InterleaveLower(d, rows[0], rows[1]), hn::InterleaveUpper(d, rows[0], rows[1]));
  const V32 rows23 = op(hn::InterleaveLower(d, rows[2], rows[3]), hn::InterleaveUpper(d, rows[2], rows[3]));
  const auto pairs01 = hn::BitCast(pairs, rows01), pairs23 = hn::BitCast(pairs, rows23);
  V32 joined = op(hn::BitCast(d, hn::InterleaveLower(pairs, pairs01, pairs23)),
                  hn::BitCast(d, hn::InterleaveUpper(pairs, pairs01, pairs23)));
  if constexpr (hn::MaxLanes(d) > 8) joined = op(joined, hn::ConcatLowerUpper(d, joined, joined));
  if constexpr (hn::MaxLanes(d) > 4) joined = op(joined, hn::SwapAdjacentBlocks(joined));
  hn::Store(joined, d, result.row);
#endif
  return result;
}

}  // namespace four_rows
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_FOUR_ROWS_INL_H_
