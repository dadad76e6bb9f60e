// Vector functions that several kernels share. Included by kernel sources after <hwy/highway.h>, once per target,
// so the guard toggles; use as `math::Exp(d, v)` inside namespace vit::HWY_NAMESPACE.
#if defined(VIT_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_MATH_INL_H_
#undef VIT_KERNELS_MATH_INL_H_
#else
#define VIT_KERNELS_MATH_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace math {

namespace hn = hwy::HWY_NAMESPACE;

/// e^v for v up to 88: 0 below -86.9 (so for -inf too), NaN for NaN, wrong above 88. At most 1.2 ulp.
/// Softmax needs no more, as the row's maximum is subtracted first.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpBelow88(D d, V v) {
  const hn::Rebind<int32_t, D> di;
  // n = round(v / ln 2), left in the low bits of the float 1.5 * 2^23 + n.
  const V magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(v, hn::Set(d, 1.44269504f), magic);
  const V n = hn::Sub(shifted, magic);
  // ln 2 in two parts; n times the first is exact, so targets without FMA lose nothing.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), v);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  // 2 e^r, |r| <= ln(2) / 2; minimax in relative error, 3e-9 (fitted by Lawson's iteration).
  V q = hn::Set(d, 2 * 1.3814539415761828e-3f);
  q = hn::MulAdd(q, r, hn::Set(d, 2 * 8.36874544620514e-3f));
  q = hn::MulAdd(q, r, hn::Set(d, 2 * 4.166838899254799e-2f));
  q = hn::MulAdd(q, r, hn::Set(d, 2 * 1.666652113199234e-1f));
  q = hn::MulAdd(q, r, hn::Set(d, 2 * 4.999999403953552e-1f));
  q = hn::MulAdd(q, r, hn::Set(d, 2.0f));
  q = hn::MulAdd(q, r, hn::Set(d, 2.0f));
  // 2^(n-1): n = 128 would not fit in the exponent.
  const auto exponent = hn::Add(hn::BitCast(di, shifted), hn::Set(di, 126));
  const V scale = hn::BitCast(d, hn::ShiftLeft<23>(exponent));
  return hn::IfThenZeroElse(hn::Lt(v, hn::Set(d, -86.9f)), hn::Mul(q, scale));
}

/// e^v: 0 below -86.9, inf above 88.72, NaN for NaN. At most 1.2 ulp elsewhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp(D d, V v) {
  const V infinity = hn::Inf(d);
  return hn::IfThenElse(hn::Gt(v, hn::Set(d, 88.722835f)), infinity, ExpBelow88(d, v));
}

/// The normal distribution at a point: density and distribution function.
template <class V>
struct NormalAt {
  V pdf, cdf;
};

/// cdf within 3e-7 in absolute terms, its lower tail within 3e-6 relative until it underflows at -13.2.
template <class D, class V = hn::Vec<D>>
HWY_INLINE NormalAt<V> Normal(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V a = hn::Abs(x);
  const V e = ExpBelow88(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5f)));
  // Upper tail: Q(a) = exp(-a^2 / 2) t P(t), t = 1 / (1 + 0.3 a); P is minimax in relative error, 1.2e-7 (fitted by
  // Lawson's iteration for 0 <= a <= 13.3).
  const V t = hn::Div(one, hn::MulAdd(a, hn::Set(d, 0.3f), one));
  V p = hn::Set(d, 0.03603621572256088f);
  p = hn::MulAdd(p, t, hn::Set(d, -0.15871326625347137f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.2089640498161316f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.056095417588949203f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.12984319031238556f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.09952312707901001f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.12081687897443771f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.11962516605854034f));
  const V tail = hn::Mul(hn::Mul(p, t), e);
  const V cdf = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  return {hn::Mul(e, hn::Set(d, 0.398942280f)), cdf};
}

}  // namespace math
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_MATH_INL_H_
