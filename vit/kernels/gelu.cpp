#include "vit/kernels/gelu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/gelu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <type_traits>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/gelu_table.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/math_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX3

// A table of gelu_table.h in registers.
template <int kDegree>
class Piecewise {
 public:
  using Table = GeluTable<kDegree>;
  using VF = rows::VF;

  explicit Piecewise(const Table& table) : end_(hn::Set(d, table.end())), per_width_(hn::Set(d, 1 / table.width)) {
    for (int i = 0; i <= kDegree; ++i) {
      low_[i] = hn::Load(d, table.c[i]);
      high_[i] = hn::Load(d, table.c[i] + Table::kSegments / 2);
    }
  }

  /// Where the table ends.
  HWY_INLINE VF End() const { return end_; }

  /// f(a) for 0 <= a <= End(); NaN for NaN. Two vectors step by step: the chain of one is long.
  HWY_INLINE void operator()(const VF (&a)[2], VF (&result)[2]) const {
    const VF magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: the sum ends in n, the only bits that are looked at
    VF n[2];
    for (int k = 0; k < 2; ++k) n[k] = hn::MulAdd(a[k], per_width_, magic);
    for (int k = 0; k < 2; ++k) result[k] = Lookup(kDegree, n[k]);
#pragma GCC unroll 8
    for (int i = kDegree - 1; i >= 0; --i)
      for (int k = 0; k < 2; ++k) result[k] = hn::MulAdd(result[k], a[k], Lookup(i, n[k]));
  }

 private:
  static constexpr rows::DF d{};

  HWY_INLINE VF Lookup(int i, VF n) const {
    return VF{_mm512_permutex2var_ps(low_[i].raw, _mm512_castps_si512(n.raw), high_[i].raw)};
  }

  VF end_, per_width_;
  VF low_[kDegree + 1], high_[kDegree + 1];
};

// v = gelu(v), NaN becoming 0 unless kKeepNaN. As integers, floats above zero are in order. In Max of NaN and a number
// the second operand wins.
template <int kDegree, bool kKeepNaN>
struct TableForward {
  Piecewise<kDegree> tail;

  HWY_INLINE void operator()(rows::VF (&v)[2]) const {
    const rows::DF d;
    const hn::RebindToSigned<rows::DF> di;
    const auto end = hn::BitCast(di, tail.End());
    rows::VF a[2], q[2];
    for (int k = 0; k < 2; ++k) a[k] = hn::BitCast(d, hn::Min(hn::BitCast(di, hn::Abs(v[k])), end));
    tail(a, q);
    for (auto& part : v) part = kKeepNaN ? hn::Max(hn::Zero(d), part) : hn::Max(part, hn::Zero(d));
    for (int k = 0; k < 2; ++k) v[k] = hn::NegMulAdd(a[k], q[k], v[k]);
  }
};

// g = g * gelu'(v). In Min of NaN and a number the second operand wins.
template <int kDegree>
struct TableBackward {
  Piecewise<kDegree> slope;

  HWY_INLINE void operator()(rows::VF (&g)[2], const rows::VF (&v)[2]) const {
    const rows::DF d;
    rows::VF a[2], s[2];
    for (int k = 0; k < 2; ++k) a[k] = hn::Min(slope.End(), hn::Abs(v[k]));
    slope(a, s);
    for (int k = 0; k < 2; ++k) s[k] = hn::Xor(s[k], hn::And(v[k], hn::SignBit(d)));
    for (int k = 0; k < 2; ++k) g[k] = hn::Mul(g[k], hn::Add(s[k], hn::Set(d, 0.5f)));
  }
};

template <class Y, int kDegree, class Body>
HWY_INLINE void WithTail(Activation kind, Body body) {
  body(TableForward<kDegree, !std::is_same_v<Y, int8_t>>{Piecewise<kDegree>(gelu_tail_table<kDegree>(kind))});
}

template <class Y, class Body>
HWY_INLINE void WithForward(Activation kind, Body body) {
  constexpr int kDegree = sizeof(Y) == sizeof(float) ? 3 : 2;
  if (kind == Activation::quick_gelu) return WithTail<Y, kDegree + 1>(kind, body);
  WithTail<Y, kDegree>(kind, body);
}

template <int kDegree, class Body>
HWY_INLINE void WithSlope(Activation kind, Body body) {
  body(TableBackward<kDegree>{Piecewise<kDegree>(gelu_slope_table<kDegree>(kind))});
}

template <class Y, class Body>
HWY_INLINE void WithBackward(Activation kind, Body body) {
  constexpr int kDegree = sizeof(Y) == sizeof(float) ? 4 : 2;
  if (kind == Activation::quick_gelu) return WithSlope<kDegree + 1>(kind, body);
  WithSlope<kDegree>(kind, body);
}

#else  // HWY_TARGET

// A function of one vector for pairs.
template <class F, bool kKeepNaN>
struct ForwardPair {
  HWY_INLINE void operator()(rows::VF (&v)[2]) const {
    const auto end = hn::Set(rows::DF(), -30.0f);  // beyond it the result is 0, but -inf * 0 is not
    for (auto& part : v) {
      part = hn::IfThenZeroElse(hn::Lt(part, end), F()(part));
      if (!kKeepNaN) part = cast::ZeroIfNaN(part);
    }
  }
};

template <class F>
struct BackwardPair {
  HWY_INLINE void operator()(rows::VF (&g)[2], const rows::VF (&v)[2]) const {
    g[0] = hn::Mul(g[0], F()(v[0]));
    g[1] = hn::Mul(g[1], F()(v[1]));
  }
};

template <class V>
HWY_INLINE V LogisticOfMinus(V x) {
  const hn::DFromV<V> d;
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, math::Exp(d, x)));
}

// The tanh form is x s(2u), s the logistic function, u = sqrt(2 / pi) (x + 0.044715 x^3).
constexpr float kTwoSqrtTwoOverPi = 1.59576912f;
constexpr float kCubic = 0.044715f;

template <class V>
HWY_INLINE V Logistic2u(V x) {
  const hn::DFromV<V> d;
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, kCubic), hn::Set(d, 1.0f));
  return LogisticOfMinus(hn::Mul(hn::Mul(x, hn::Set(d, -kTwoSqrtTwoOverPi)), cubic));
}

// The quick form is x s(1.702 x).
constexpr float kQuick = 1.702f;

template <class V>
HWY_INLINE V LogisticQuick(V x) {
  return LogisticOfMinus(hn::Mul(x, hn::Set(hn::DFromV<V>(), -kQuick)));
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

struct QuickForward {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return hn::Mul(x, LogisticQuick(x));
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

// d(x s) = s + 1.702 x s (1 - s)
struct QuickSlope {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    const hn::DFromV<V> d;
    const V s = LogisticQuick(x);
    return hn::MulAdd(hn::Mul(hn::Mul(x, s), hn::Sub(hn::Set(d, 1.0f), s)), hn::Set(d, kQuick), s);
  }
};

// body(the function of this kind for results of type Y)
template <class Y, class Body>
HWY_INLINE void WithForward(Activation kind, Body body) {
  constexpr bool kKeepNaN = !std::is_same_v<Y, int8_t>;
  if (kind == Activation::gelu_erf) return body(ForwardPair<ErfForward, kKeepNaN>());
  if (kind == Activation::quick_gelu) return body(ForwardPair<QuickForward, kKeepNaN>());
  body(ForwardPair<TanhForward, kKeepNaN>());
}

template <class Y, class Body>
HWY_INLINE void WithBackward(Activation kind, Body body) {
  if (kind == Activation::gelu_erf) return body(BackwardPair<ErfSlope>());
  if (kind == Activation::quick_gelu) return body(BackwardPair<QuickSlope>());
  body(BackwardPair<TanhSlope>());
}

#endif  // HWY_TARGET

void GeluForward(ConstMatrix x, Activation kind, Matrix y, float scale) {
  rows::WithFloats(x, [=](auto in) HWY_ATTR {
    if (y.type() == DType::i8) {
      WithForward<int8_t>(kind, [=](auto f) HWY_ATTR {
        const auto factor = hn::Set(rows::DF(), scale);
        rows::MapPairs(in, y.view<int8_t>(), [=](auto& v) HWY_ATTR {
          f(v);
          for (auto& part : v) part = hn::Mul(part, factor);
        });
      });
    } else {
      rows::WithFloats(y, [=](auto out) HWY_ATTR {
        WithForward<rows::ElementOf<decltype(out)>>(kind, [=](auto f) HWY_ATTR { rows::MapPairs(in, out, f); });
      });
    }
  });
}

void GeluBackward(ConstMatrix dy, ConstMatrix x, Activation kind, Matrix dx) {
  rows::WithFloats(dy, [=](auto gradient) HWY_ATTR {
    rows::WithFloats(x, [=](auto in) HWY_ATTR {
      rows::WithFloats(dx, [=](auto out) HWY_ATTR {
        WithBackward<rows::ElementOf<decltype(out)>>(kind,
                                                     [=](auto f) HWY_ATTR { rows::MapPairs(gradient, in, out, f); });
      });
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {
namespace {

HWY_EXPORT(GeluForward);
HWY_EXPORT(GeluBackward);

void check_kind(const char* function, Activation kind) {
  if (kind == Activation::none) fail(ErrorKind::internal, "[", function, "] needs a form of GELU, has no activation");
}

}  // namespace

void gelu_forward(ConstMatrix x, Activation kind, Matrix y, float scale) {
  check_kind("gelu_forward", kind);
  check_matrix("gelu_forward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16, DType::i8});
  VIT_DISPATCH(GeluForward)(x, kind, y, scale);
}

void gelu_backward(ConstMatrix dy, ConstMatrix x, Activation kind, Matrix dx) {
  check_kind("gelu_backward", kind);
  check_matrix("gelu_backward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_backward: dy", dy, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("gelu_backward: dx", dx, x.rows(), x.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(GeluBackward)(dy, x, kind, dx);
}

}  // namespace vit
#endif  // HWY_ONCE
