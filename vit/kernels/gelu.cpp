#include "vit/kernels/gelu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/gelu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/check_shape.h"
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

// gelu(x)
struct ErfForward {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return hn::Mul(x, math::Normal(hn::DFromV<V>(), x).cdf);
  }
};

struct TanhForward {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return hn::Mul(x, Logistic2u(x));
  }
};

// d(x Phi(x)) = Phi(x) + x phi(x)
struct ErfSlope {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    const auto normal = math::Normal(hn::DFromV<V>(), x);
    return hn::MulAdd(x, normal.pdf, normal.cdf);
  }
};

// d(x s(2u)) = s + x s (1 - s) 2u', 2u' = 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
struct TanhSlope {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    const hn::DFromV<V> d;
    const V s = Logistic2u(x);
    const V slope =
        hn::MulAdd(hn::Mul(x, x), hn::Set(d, 3 * kCubic * kTwoSqrtTwoOverPi), hn::Set(d, kTwoSqrtTwoOverPi));
    const V spread = hn::Mul(hn::Mul(x, s), hn::Sub(hn::Set(d, 1.0f), s));
    return hn::MulAdd(spread, slope, s);
  }
};

template <class F>
HWY_INLINE void Forward(ConstMatrix x, Matrix y, float scale, F f) {
  rows::WithFloats(x, [=](auto in) HWY_ATTR {
    if (y.type() == DType::i8) {
      const auto factor = hn::Set(rows::DF(), scale);
      rows::Map(in, y.view<int8_t>(), [=](auto v) HWY_ATTR { return hn::Mul(f(v), factor); });
    } else {
      rows::WithFloats(y, [=](auto out) HWY_ATTR { rows::Map(in, out, f); });
    }
  });
}

template <class F>
HWY_INLINE void Backward(ConstMatrix dy, ConstMatrix x, Matrix dx, F slope) {
  rows::WithFloats(dy, [=](auto gradient) HWY_ATTR {
    rows::WithFloats(x, [=](auto in) HWY_ATTR {
      rows::WithFloats(dx, [=](auto out) HWY_ATTR {
        rows::Map(gradient, in, out, [=](auto g, auto v) HWY_ATTR { return hn::Mul(g, slope(v)); });
      });
    });
  });
}

void GeluErf(ConstMatrix x, Matrix y, float scale) { Forward(x, y, scale, ErfForward()); }
void GeluTanh(ConstMatrix x, Matrix y, float scale) { Forward(x, y, scale, TanhForward()); }
void GeluErfBackward(ConstMatrix dy, ConstMatrix x, Matrix dx) { Backward(dy, x, dx, ErfSlope()); }
void GeluTanhBackward(ConstMatrix dy, ConstMatrix x, Matrix dx) { Backward(dy, x, dx, TanhSlope()); }

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

void gelu_forward(ConstMatrix x, Activation kind, Matrix y, float scale) {
  check_matrix("gelu_forward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16, DType::i8});
  switch (kind) {
    case Activation::gelu_erf:
      return VIT_DISPATCH(GeluErf)(x, y, scale);
    case Activation::gelu_tanh:
      return VIT_DISPATCH(GeluTanh)(x, y, scale);
    case Activation::none:
      fail_kind("gelu_forward");
  }
}

void gelu_backward(ConstMatrix dy, ConstMatrix x, Activation kind, Matrix dx) {
  check_matrix("gelu_backward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_backward: dy", dy, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_backward: dx", dx, x.rows(), x.cols(), {DType::f32, DType::bf16});
  switch (kind) {
    case Activation::gelu_erf:
      return VIT_DISPATCH(GeluErfBackward)(dy, x, dx);
    case Activation::gelu_tanh:
      return VIT_DISPATCH(GeluTanhBackward)(dy, x, dx);
    case Activation::none:
      fail_kind("gelu_backward");
  }
}

}  // namespace vit
#endif  // HWY_ONCE
