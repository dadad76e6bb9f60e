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

HWY_INLINE void Store(VF v, float* p) { hn::StoreU(v, DF(), p); }

/// Rounds to nearest, ties to even, as to_bf16 does.
HWY_INLINE void Store(VF v, BFloat16* p) {
  const DU d;
  const hn::Rebind<uint16_t, DF> d16;
  const VU bits = hn::BitCast(d, v);
  const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  const VU rounded = hn::Add(hn::Add(bits, hn::Set(d, 0x7FFFu)), odd);
  const VU quiet = hn::Or(bits, hn::Set(d, 0x400000u));  // a NaN could be rounded to infinity or beyond
  const VU result = hn::IfThenElse(hn::RebindMask(d, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(result)), d16, &p->bits);
}

/// Rounds to nearest, ties to even, saturates to [-127, 127]; NaN becomes 0.
HWY_INLINE void Store(VF v, int8_t* p) {
  const DF d;
  const hn::Rebind<uint8_t, DF> d8;
  const VF number = hn::IfThenZeroElse(hn::IsNaN(v), v);
  const VF clamped = hn::Min(hn::Max(number, hn::Set(d, -127.0f)), hn::Set(d, 127.0f));
  // The low byte of 1.5 * 2^23 + v is v rounded, in two's complement.
  const VU shifted = hn::BitCast(DU(), hn::Add(clamped, hn::Set(d, 12582912.0f)));
  hn::StoreU(hn::TruncateTo(d8, shifted), d8, reinterpret_cast<uint8_t*>(p));
}

}  // namespace cast
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_CAST_INL_H_
