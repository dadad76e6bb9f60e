#include "vit/kernels/layernorm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/layernorm.cpp"
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
HWY_INLINE void LayernormRows(const norm::Factors& factors, TensorView<const X> x, int64_t row, TensorView<Y> y,
                              float* mean, float* rstd) {
  const X* in[kRows];
  Y* out[kRows];
  for (int r = 0; r < kRows; ++r) in[r] = &x(row + r, 0), out[r] = &y(row + r, 0);
  norm::Forward<true>(factors, in, out, mean == nullptr ? nullptr : mean + row, rstd == nullptr ? nullptr : rstd + row);
}

void LayernormForward(ConstMatrix x, const float* gamma, const float* beta, float eps, Matrix y, float* mean,
                      float* rstd) {
  const norm::Factors factors{x.cols(), gamma, beta, eps};
  rows::WithFloats(x, [&](auto in) HWY_ATTR {
    rows::WithNumbers(y, [&](auto out) HWY_ATTR {
      constexpr int kSideBySide = HWY_TARGET <= HWY_AVX3 ? 8 : 4;  // as the registers allow
      int64_t row = 0;
      for (; row + kSideBySide <= in.rows(); row += kSideBySide)
        LayernormRows<kSideBySide>(factors, in, row, out, mean, rstd);
      for (; row < in.rows(); ++row) LayernormRows<1>(factors, in, row, out, mean, rstd);
    });
  });
}

void LayernormBackward(ConstMatrix dy, ConstMatrix x, const float* mean, const float* rstd, const float* gamma,
                       TensorView<const float> residual, Matrix dx, float* dgamma, float* dbeta) {
  rows::WithFloats(x, [&](auto in) HWY_ATTR {
    using T = rows::ElementOf<decltype(in)>;
    const auto dout = dy.view<const T>();
    const auto out = dx.view<T>();
    for (int64_t row = 0; row < in.rows(); ++row)
      norm::Backward<true, T>(
          {&dout(row, 0), &in(row, 0), mean[row], rstd[row], residual ? &residual(row, 0) : nullptr, &out(row, 0)},
          in.cols(), gamma, dgamma, dbeta);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(LayernormForward);
HWY_EXPORT(LayernormBackward);

void layernorm_forward(ConstMatrix x, const float* gamma, const float* beta, float eps, Matrix y, float* mean,
                       float* rstd) {
  check_matrix("layernorm_forward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("layernorm_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16, DType::i8});
  VIT_DISPATCH(LayernormForward)(x, gamma, beta, eps, y, mean, rstd);
}

void layernorm_backward(ConstMatrix dy, ConstMatrix x, const float* mean, const float* rstd, const float* gamma,
                        TensorView<const float> residual, Matrix dx, float* dgamma, float* dbeta) {
  check_matrix("layernorm_backward: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("layernorm_backward: dy", dy, x.rows(), x.cols(), {x.type()});
  check_matrix("layernorm_backward: dx", dx, x.rows(), x.cols(), {x.type()});
  if (residual) check_matrix("layernorm_backward: residual", residual, x.rows(), x.cols());
  VIT_DISPATCH(LayernormBackward)(dy, x, mean, rstd, gamma, residual, dx, dgamma, dbeta);
}

}  // namespace vit
#endif  // HWY_ONCE
