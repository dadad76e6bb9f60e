// Vectors of floats from and to memory of any element type. Included by kernel sources after <hwy/highway.h>, once per
// target, so the guard toggles; use as `cast::Load(p)` inside namespace vit::HWY_NAMESPACE.
#if defined(VIT_KERNELS_CAST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_CAST_INL_H_
#undef VIT_KERNELS_CAST_INL_H_
#else
#define VIT_KERNELS_CAST_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "vit/core/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace cast {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DU = hn::RebindToUnsigned<DF>;
using VF = hn::Vec<DF>;
using VU = hn::Vec<DU>;

HWY_INLINE VF Load(const float* p) { return hn::LoadU(DF(), p); }

HWY_INLINE VF Load(const BFloat16* p) {
  const hn::Rebind<uint16_t, DF> d16;
  return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(DU(), hn::LoadU(d16, &p->bits))));
}

HWY_INLINE VF Load(const int8_t* p) {
  const hn::RebindToSigned<DF> d32;
  const hn::Rebind<int8_t, DF> d8;
  return hn::ConvertTo(DF(), hn::PromoteTo(d32, hn::LoadU(d8, p)));
}

HWY_INLINE void Store(VF v, float* p) { hn::StoreU(v, DF(), p); }

/// Bits of v whose upper half is v rounded to nearest, ties to even. A NaN stays one if its lower half is zero, as in
/// those that come from bf16 or from arithmetic on numbers.
HWY_INLINE VU RoundToUpperHalf(VF v) {
  const DU d;
  const VU bits = hn::BitCast(d, v);
  const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  return hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7FFFu)));
}

/// Bits whose upper half is to_bf16(v).
HWY_INLINE VU ToUpperHalf(VF v) {
  const DU d;
  const VU quiet = hn::Or(hn::BitCast(d, v), hn::Set(d, 0x400000u));
  return hn::IfThenElse(hn::RebindMask(d, hn::IsNaN(v)), quiet, RoundToUpperHalf(v));
}

HWY_INLINE void Store(VF v, BFloat16* p) {
  const hn::Rebind<uint16_t, DF> d16;
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(ToUpperHalf(v))), d16, &p->bits);
}

/// Bits whose low byte is v rounded to nearest, ties to even, and saturated to [-127, 127]; v is no NaN.
HWY_INLINE VU RoundToLowByte(VF v) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  const VF magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: the sum ends in v as an integer, in two's complement
  const auto shifted = hn::BitCast(di, hn::Add(v, magic));
  // As integers, floats above zero are in order and those below zero come first.
  const auto low = hn::Set(di, 0x4B400000 - 127), high = hn::Set(di, 0x4B400000 + 127);
  return hn::BitCast(DU(), hn::Min(hn::Max(shifted, low), high));
}

HWY_INLINE VF ZeroIfNaN(VF v) { return hn::IfThenZeroElse(hn::IsNaN(v), v); }

/// Rounds to nearest, ties to even, and saturates to [-127, 127]; v is no NaN.
HWY_INLINE void Store(VF v, int8_t* p) {
  const hn::Rebind<uint8_t, DF> d8;
  hn::StoreU(hn::TruncateTo(d8, RoundToLowByte(v)), d8, reinterpret_cast<uint8_t*>(p));
}

/// Two vectors, one after the other in memory.
struct InOrder {
  template <class T>
  static HWY_INLINE void Load(const T* p, VF (&v)[2]) {
    v[0] = cast::Load(p);
    v[1] = cast::Load(p + hn::Lanes(DF()));
  }
  template <class T>
  static HWY_INLINE void Store(const VF (&v)[2], T* p) {
    cast::Store(v[0], p);
    cast::Store(v[1], p + hn::Lanes(DF()));
  }
#if HWY_TARGET != HWY_SCALAR
  static HWY_INLINE void Store(const VF (&v)[2], BFloat16* p) {
    const hn::Repartition<uint16_t, DF> d16;
    const auto first = hn::BitCast(d16, ToUpperHalf(v[0])), second = hn::BitCast(d16, ToUpperHalf(v[1]));
    hn::StoreU(hn::ConcatOdd(d16, second, first), d16, &p->bits);
  }
#endif
};

/// Two vectors of the even and the odd elements, cheaper for narrow types. NaNs to be stored must have a lower half of
/// zero: see RoundToUpperHalf.
struct EvenOdd {
  static HWY_INLINE void Load(const BFloat16* p, VF (&v)[2]) {
    const DU d;
    const VU both = hn::LoadU(d, reinterpret_cast<const uint32_t*>(p));
    v[0] = hn::BitCast(DF(), hn::ShiftLeft<16>(both));
    v[1] = hn::BitCast(DF(), hn::And(both, hn::Set(d, 0xFFFF0000u)));
  }
  static HWY_INLINE void Store(const VF (&v)[2], BFloat16* p) {
    const DU d;
    const VU odd = hn::And(RoundToUpperHalf(v[1]), hn::Set(d, 0xFFFF0000u));
    const VU both = hn::Or(hn::ShiftRight<16>(RoundToUpperHalf(v[0])), odd);
    hn::StoreU(both, d, reinterpret_cast<uint32_t*>(p));
  }
  static HWY_INLINE void Store(const VF (&v)[2], int8_t* p) {
    const DU d;
    const hn::Rebind<uint16_t, DF> d16;
    const VU even = hn::And(RoundToLowByte(v[0]), hn::Set(d, 0xFFu));
    const VU both = hn::Or(even, hn::ShiftLeft<8>(RoundToLowByte(v[1])));
    hn::StoreU(hn::TruncateTo(d16, both), d16, reinterpret_cast<uint16_t*>(p));
  }
};

}  // namespace cast
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_CAST_INL_H_
