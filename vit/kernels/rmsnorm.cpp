#include "vit/kernels/rmsnorm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/rmsnorm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/norm_rows_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

template <int kRows, class X, class Y>
HWY_INLINE void RmsnormRows(const norm::Factors& factors, TensorView<const X> x, int64_t row, TensorView<Y> y,
                            float* rstd) {
  const X* in[kRows];
  Y* out[kRows];
  for (int r = 0; r < kRows; ++r) in[r] = &x(row + r, 0), out[r] = &y(row + r, 0);
  norm::Forward<false>(factors, in, out, nullptr, rstd == nullptr ? nullptr : rstd + row);
}

void RmsnormForward(ConstMatrix x, const float* gamma, float eps, Matrix y, float* rstd) {
  const norm::Factors factors{x.cols(), gamma, nullptr, eps};
  rows::WithFloats(x, [&](auto in) HWY_ATTR {
    rows::WithNumbers(y, [&](auto out) HWY_ATTR {
      constexpr int kSideBySide = HWY_TARGET <= HWY_AVX3 ? 8 : 4;  // as the registers allow
      int64_t row = 0;
      for (; row + kSideBySide <= in.rows(); row += kSideBySide) RmsnormRows<kSideBySide>(factors, in, row, out, rstd);
      for (; row < in.rows(); ++row) RmsnormRows<1>(factors, in, row, out, rstd);
    });
  });
}

void RmsnormBackward(ConstMatrix dy, ConstMatrix x, const float* rstd, const float* gamma,
                     TensorView<const float> residual, Matrix dx, float* dgamma) {
  rows::WithFloats(x, [&](auto in) HWY_ATTR {
    using T = rows::ElementOf<decltype(in)>;
    const auto dout = dy.view<const T>();
    const auto out = dx.view<T>();
    for (int64_t row = 0; row < in.rows(); ++row)
      norm::Backward<false, T>(
          {&dout(row, 0), &in(row, 0), 0, rstd[row], residual ? &residual(row, 0) : nullptr, &out(row, 0)}, in.cols(),
          gamma, dgamma, nullptr);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(RmsnormForward);
HWY_EXPORT(RmsnormBackward);

void rmsnorm_forward(ConstMatrix x, const float* gamma, float eps, Matrix y, float* rstd) {
  check_matrix("rmsnorm_forward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("rmsnorm_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16, DType::i8});
  VIT_DISPATCH(RmsnormForward)(x, gamma, eps, y, rstd);
}

void rmsnorm_backward(ConstMatrix dy, ConstMatrix x, const float* rstd, const float* gamma,
                      TensorView<const float> residual, Matrix dx, float* dgamma) {
  check_matrix("rmsnorm_backward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("rmsnorm_backward: dy", dy, x.rows(), x.cols(), {x.type()});
  check_matrix("rmsnorm_backward: dx", dx, x.rows(), x.cols(), {x.type()});
  if (residual) check_matrix("rmsnorm_backward: residual", residual, x.rows(), x.cols());
  VIT_DISPATCH(RmsnormBackward)(dy, x, rstd, gamma, residual, dx, dgamma);
}

}  // namespace vit
#endif  // HWY_ONCE
