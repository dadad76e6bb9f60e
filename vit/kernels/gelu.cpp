#include "vit/kernels/gelu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/gelu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/isa.h"
#include "vit/kernels/math_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The tanh form is x s(2u), s the logistic function, u = sqrt(2 / pi) (x + 0.044715 x^3).
constexpr float kTwoSqrtTwoOverPi = 1.59576912f;
constexpr float kCubic = 0.044715f;

template <class V>
HWY_INLINE V Logistic2u(V x) {
  const hn::DFromV<V> d;
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, kCubic), hn::Set(d, 1.0f));
  const V minus_2u = hn::Mul(hn::Mul(x, hn::Set(d, -kTwoSqrtTwoOverPi)), cubic);
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, math::Exp(d, minus_2u)));
}

void GeluErf(const float* x, int64_t count, float* y) {
  rows::Map(x, count, y, [](auto v) HWY_ATTR {
    const hn::DFromV<decltype(v)> d;
    return hn::Mul(v, math::Normal(d, v).cdf);
  });
}

void GeluTanh(const float* x, int64_t count, float* y) {
  rows::Map(x, count, y, [](auto v) HWY_ATTR { return hn::Mul(v, Logistic2u(v)); });
}

// d(x Phi(x)) = Phi(x) + x phi(x)
void GeluErfBackward(const float* dy, const float* x, int64_t count, float* dx) {
  rows::Map(dy, x, count, dx, [](auto g, auto v) HWY_ATTR {
    const hn::DFromV<decltype(v)> d;
    const auto normal = math::Normal(d, v);
    return hn::Mul(g, hn::MulAdd(v, normal.pdf, normal.cdf));
  });
}

// d(x s(2u)) = s + x s (1 - s) 2u', 2u' = 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
void GeluTanhBackward(const float* dy, const float* x, int64_t count, float* dx) {
  rows::Map(dy, x, count, dx, [](auto g, auto v) HWY_ATTR {
    const hn::DFromV<decltype(v)> d;
    const auto s = Logistic2u(v);
    const auto slope =
        hn::MulAdd(hn::Mul(v, v), hn::Set(d, 3 * kCubic * kTwoSqrtTwoOverPi), hn::Set(d, kTwoSqrtTwoOverPi));
    const auto spread = hn::Mul(hn::Mul(v, s), hn::Sub(hn::Set(d, 1.0f), s));
    return hn::Mul(g, hn::MulAdd(spread, slope, s));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {
namespace {

HWY_EXPORT(GeluErf);
HWY_EXPORT(GeluTanh);
HWY_EXPORT(GeluErfBackward);
HWY_EXPORT(GeluTanhBackward);

[[noreturn]] void fail_kind(const char* function) {
  fail(ErrorKind::internal, "[", function, "] needs gelu_erf or gelu_tanh, has no activation");
}

}  // namespace

void gelu_forward(const float* x, int64_t count, Activation kind, float* y) {
  switch (kind) {
    case Activation::gelu_erf:
      return VIT_DISPATCH(GeluErf)(x, count, y);
    case Activation::gelu_tanh:
      return VIT_DISPATCH(GeluTanh)(x, count, y);
    case Activation::none:
      fail_kind("gelu_forward");
  }
}

void gelu_backward(const float* dy, const float* x, int64_t count, Activation kind, float* dx) {
  switch (kind) {
    case Activation::gelu_erf:
      return VIT_DISPATCH(GeluErfBackward)(dy, x, count, dx);
    case Activation::gelu_tanh:
      return VIT_DISPATCH(GeluTanhBackward)(dy, x, count, dx);
    case Activation::none:
      fail_kind("gelu_backward");
  }
}

}  // namespace vit
#endif  // HWY_ONCE
