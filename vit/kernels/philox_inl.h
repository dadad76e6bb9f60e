// Dropout masks, many elements at a time. Included by kernel sources after <hwy/highway.h>, once per target, so the
// guard toggles; use as `philox::DropoutWords(...)` inside namespace vit::HWY_NAMESPACE. The scalar form of the
// same numbers is philox4x32 in vit/core/rng.h; what a mask means is written at DropoutMask in elementwise.h.
#if defined(VIT_KERNELS_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_PHILOX_INL_H_
#undef VIT_KERNELS_PHILOX_INL_H_
#else
#define VIT_KERNELS_PHILOX_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vit/core/rng.h"
#include "vit/kernels/elementwise.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace philox {

namespace hn = hwy::HWY_NAMESPACE;

/// An element is dropped when its word is below this.
HWY_INLINE uint32_t Threshold(float rate) {
  return static_cast<uint32_t>(std::ceil(static_cast<double>(rate) * 0x1p32));
}

#if HWY_TARGET != HWY_SCALAR

/// Low and high 32 bits of every lane's a * m.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void WideMul(D d, V a, V m, V& low, V& high) {
  const hn::Repartition<uint64_t, D> d64;
  const auto even = hn::MulEven(a, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), m);
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
}

/// Ten rounds on counters (c0, c1, c2, c3), one block a lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void Rounds(D d, uint64_t seed, V& c0, V& c1, V& c2, V& c3) {
  const V m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    V low0, high0, low1, high1;
    WideMul(d, c0, m0, low0, high0);
    WideMul(d, c2, m1, low1, high1);
    c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key0));
    c1 = low1;
    c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key1));
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

#endif  // HWY_TARGET

/// Elements that one DropoutWords call makes: a multiple of 4, at most 64.
template <class D>
HWY_INLINE int64_t WordsPerCall(D d) {
  return 4 * static_cast<int64_t>(hn::Lanes(d));
}

/// words[i] belongs to the element with mask index first + i, for i < WordsPerCall(d); first % 4 == 0.
/// d is of uint32_t with at most 16 lanes.
template <class D>
HWY_INLINE void DropoutWords(D d, const DropoutMask& mask, int64_t first, uint32_t* words) {
  const uint64_t block = static_cast<uint64_t>(first) / 4;
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(d);
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  const auto result =
      philox4x32({low(block), high(block), low(mask.stream), high(mask.stream)}, {low(mask.seed), high(mask.seed)});
  std::copy(result.begin(), result.end(), words);
#else
  const auto base = hn::Set(d, static_cast<uint32_t>(block));
  auto c0 = hn::Add(base, hn::Iota(d, 0));
  // A counter whose low half wrapped around carries into the high half.
  const auto carry = hn::IfThenElseZero(hn::Lt(c0, base), hn::Set(d, 1u));
  auto c1 = hn::Add(hn::Set(d, static_cast<uint32_t>(block >> 32)), carry);
  auto c2 = hn::Set(d, static_cast<uint32_t>(mask.stream));
  auto c3 = hn::Set(d, static_cast<uint32_t>(mask.stream >> 32));
  Rounds(d, mask.seed, c0, c1, c2, c3);
  hn::StoreInterleaved4(c0, c1, c2, c3, d, words);
#endif
}

}  // namespace philox
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_PHILOX_INL_H_
