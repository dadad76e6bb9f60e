#include "vit/kernels/relu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/relu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void ReluForward(ConstMatrix x, Matrix y) {
  rows::WithFloats(x, [=](auto in) HWY_ATTR {
    rows::WithFloats(y, [=](auto out) HWY_ATTR {
      rows::MapPairs(in, out, [](auto& v) HWY_ATTR {
        const auto zero = hn::Zero(rows::DF());
        for (auto& part : v) part = hn::IfThenZeroElse(hn::Lt(part, zero), part);
      });
    });
  });
}

void ReluBackward(ConstMatrix dy, ConstMatrix y, Matrix dx) {
  rows::WithFloats(dy, [=](auto gradient) HWY_ATTR {
    rows::WithFloats(y, [=](auto result) HWY_ATTR {
      rows::WithFloats(dx, [=](auto out) HWY_ATTR {
        rows::MapPairs(gradient, result, out, [](auto& g, auto& v) HWY_ATTR {
          const auto zero = hn::Zero(rows::DF());
          for (int k = 0; k < 2; ++k) g[k] = hn::IfThenElseZero(hn::Gt(v[k], zero), g[k]);
        });
      });
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(ReluForward);
HWY_EXPORT(ReluBackward);

void relu_forward(ConstMatrix x, Matrix y) {
  check_matrix("relu_forward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("relu_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(ReluForward)(x, y);
}

void relu_backward(ConstMatrix dy, ConstMatrix y, Matrix dx) {
  check_matrix("relu_backward: dy", dy, dy.rows(), dy.cols(), {DType::f32, DType::bf16});
  check_matrix("relu_backward: y", y, dy.rows(), dy.cols(), {DType::f32, DType::bf16});
  check_matrix("relu_backward: dx", dx, dy.rows(), dy.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(ReluBackward)(dy, y, dx);
}

}  // namespace vit
#endif  // HWY_ONCE
