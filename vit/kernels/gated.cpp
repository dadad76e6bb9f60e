#include "vit/kernels/gated.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/gated.cpp"
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

// The logistic function.
HWY_INLINE rows::VF Logistic(rows::VF x) {
  const rows::DF d;
  const auto one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, math::Exp(d, hn::Neg(x))));
}

// y = after(silu(gate) value), after(v) changing a vector in place.
template <class X, class Y, class After>
HWY_INLINE void ForwardTo(TensorView<const X> hidden, TensorView<Y> y, After after) {
  for (int64_t row = 0; row < y.rows(); ++row) {
    const X* gates = &hidden(row, 0);
    rows::MapPairs(gates, gates + y.cols(), y.cols(), &y(row, 0), [=](auto& gate, auto& value) HWY_ATTR {
      for (int k = 0; k < 2; ++k) {
        gate[k] = hn::Mul(hn::Mul(gate[k], Logistic(gate[k])), value[k]);
        after(gate[k]);
      }
    });
  }
}

void SwigluForward(ConstMatrix hidden, Matrix y, float scale) {
  rows::WithFloats(hidden, [=](auto in) HWY_ATTR {
    if (y.type() == DType::i8) {
      const auto factor = hn::Set(rows::DF(), scale);
      ForwardTo(in, y.view<int8_t>(), [=](auto& v) HWY_ATTR { v = cast::ZeroIfNaN(hn::Mul(v, factor)); });
    } else {
      rows::WithFloats(y, [=](auto out) HWY_ATTR { ForwardTo(in, out, [](auto&) HWY_ATTR {}); });
    }
  });
}

// With s = logistic(gate):  dvalue = dy gate s,  dgate = dy value s (1 + gate (1 - s)).
template <class G, class X, class Y>
HWY_INLINE void BackwardTo(TensorView<const G> dy, TensorView<const X> hidden, TensorView<Y> dhidden) {
  const rows::DF d;
  const auto one = hn::Set(d, 1.0f);
  const int64_t width = dy.cols();
  for (int64_t row = 0; row < dy.rows(); ++row) {
    const G* gradients = &dy(row, 0);
    const X* gates = &hidden(row, 0);
    Y* out = &dhidden(row, 0);
    rows::ForEachPair<rows::PairsOf<Y, G, X>>(width, [=](int64_t i, auto access) HWY_ATTR {
      rows::VF g[2], gate[2], value[2];
      access.Load(gradients + i, g);
      access.Load(gates + i, gate);
      access.Load(gates + width + i, value);
      for (int k = 0; k < 2; ++k) {
        const auto s = Logistic(gate[k]);
        const auto slope = hn::Mul(s, hn::MulAdd(gate[k], hn::Sub(one, s), one));
        const auto dvalue = hn::Mul(g[k], hn::Mul(gate[k], s));
        gate[k] = hn::Mul(g[k], hn::Mul(value[k], slope));
        value[k] = dvalue;
      }
      access.Store(gate, out + i);
      access.Store(value, out + width + i);
    });
  }
}

void SwigluBackward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden) {
  rows::WithFloats(dy, [=](auto gradient) HWY_ATTR {
    rows::WithFloats(hidden, [=](auto in) HWY_ATTR {
      rows::WithFloats(dhidden, [=](auto out) HWY_ATTR { BackwardTo(gradient, in, out); });
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(SwigluForward);
HWY_EXPORT(SwigluBackward);

void swiglu_forward(ConstMatrix hidden, Matrix y, float scale) {
  check_matrix("swiglu_forward: hidden", hidden, y.rows(), 2 * y.cols(), {DType::f32, DType::bf16});
  check_matrix("swiglu_forward: y", y, y.rows(), y.cols(), {DType::f32, DType::bf16, DType::i8});
  VIT_DISPATCH(SwigluForward)(hidden, y, scale);
}

void swiglu_backward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden) {
  check_matrix("swiglu_backward: dy", dy, dy.rows(), dy.cols(), {DType::f32, DType::bf16});
  check_matrix("swiglu_backward: hidden", hidden, dy.rows(), 2 * dy.cols(), {DType::f32, DType::bf16});
  check_matrix("swiglu_backward: dhidden", dhidden, dy.rows(), 2 * dy.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(SwigluBackward)(dy, hidden, dhidden);
}

}  // namespace vit
#endif  // HWY_ONCE
