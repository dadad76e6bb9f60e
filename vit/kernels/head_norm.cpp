#include "vit/kernels/head_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/head_norm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/norm_rows_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

// kHeads heads of a row, the first one at x and y.
template <bool kCentred, int kHeads, class T>
HWY_INLINE void NormHeads(const norm::Factors& factors, const T* x, T* y, const HeadMoments& moments, int64_t index) {
  const T* in[kHeads];
  T* out[kHeads];
  for (int h = 0; h < kHeads; ++h) in[h] = x + h * factors.cols, out[h] = y + h * factors.cols;
  norm::Forward<kCentred>(factors, in, out, moments.mean == nullptr ? nullptr : moments.mean + index,
                          moments.rstd == nullptr ? nullptr : moments.rstd + index);
}

template <bool kCentred, class T>
HWY_INLINE void ForwardOf(TensorView<const T> x, const HeadNorm& norm, TensorView<T> y, const HeadMoments& moments) {
  constexpr int kSideBySide = 4;
  const int64_t size = norm.head_size, heads = x.cols() / size;
  const norm::Factors factors{size, norm.gamma, norm.beta, norm.eps};
  for (int64_t row = 0; row < x.rows(); ++row) {
    int64_t head = 0;
    for (; head + kSideBySide <= heads; head += kSideBySide)
      NormHeads<kCentred, kSideBySide>(factors, &x(row, head * size), &y(row, head * size), moments,
                                       row * heads + head);
    for (; head < heads; ++head)
      NormHeads<kCentred, 1>(factors, &x(row, head * size), &y(row, head * size), moments, row * heads + head);
  }
}

void HeadNormForward(ConstMatrix x, const HeadNorm& norm, Matrix y, const HeadMoments& moments) {
  rows::WithFloats(y, [&](auto out) HWY_ATTR {
    const auto in = x.view<const rows::ElementOf<decltype(out)>>();
    if (norm.kind == HeadNorm::Kind::layer)
      ForwardOf<true>(in, norm, out, moments);
    else
      ForwardOf<false>(in, norm, out, moments);
  });
}

template <bool kCentred, class T>
HWY_INLINE void BackwardOf(TensorView<const T> dy, TensorView<const T> x, const HeadNorm& norm,
                           const HeadMoments& moments, TensorView<T> dx, float* dgamma, float* dbeta) {
  const int64_t size = norm.head_size, heads = x.cols() / size;
  for (int64_t row = 0; row < x.rows(); ++row)
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t index = row * heads + head, at = head * size;
      const float mean = kCentred ? moments.mean[index] : 0;
      norm::Backward<kCentred, T>({&dy(row, at), &x(row, at), mean, moments.rstd[index], nullptr, &dx(row, at)}, size,
                                  norm.gamma, dgamma, dbeta);
    }
}

void HeadNormBackward(ConstMatrix dy, ConstMatrix x, const HeadNorm& norm, const HeadMoments& moments, Matrix dx,
                      float* dgamma, float* dbeta) {
  rows::WithFloats(dx, [&](auto out) HWY_ATTR {
    using T = rows::ElementOf<decltype(out)>;
    const auto gradient = dy.view<const T>(), in = x.view<const T>();
    if (norm.kind == HeadNorm::Kind::layer)
      BackwardOf<true>(gradient, in, norm, moments, out, dgamma, dbeta);
    else
      BackwardOf<false>(gradient, in, norm, moments, out, dgamma, dbeta);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(HeadNormForward);
HWY_EXPORT(HeadNormBackward);

namespace {

void check_heads(ConstMatrix x, const HeadNorm& norm) {
  check_matrix("head_norm: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  if (norm.head_size < 1 || x.cols() % norm.head_size != 0)
    fail(ErrorKind::internal, "[head_norm: x] needs whole heads of ", norm.head_size, " columns, has ", x.cols());
  const bool layer = norm.kind == HeadNorm::Kind::layer;
  if (norm.gamma == nullptr || (norm.beta != nullptr) != layer)
    fail(ErrorKind::internal, "[head_norm] needs gamma, and beta for a layer norm alone");
}

}  // namespace

void head_norm_forward(ConstMatrix x, const HeadNorm& norm, Matrix y, const HeadMoments& moments) {
  check_heads(x, norm);
  check_matrix("head_norm_forward: y", y, x.rows(), x.cols(), {x.type()});
  VIT_DISPATCH(HeadNormForward)(x, norm, y, moments);
}

void head_norm_backward(ConstMatrix dy, ConstMatrix x, const HeadNorm& norm, const HeadMoments& moments, Matrix dx,
                        float* dgamma, float* dbeta) {
  check_heads(x, norm);
  check_matrix("head_norm_backward: dy", dy, x.rows(), x.cols(), {x.type()});
  check_matrix("head_norm_backward: dx", dx, x.rows(), x.cols(), {x.type()});
  const bool layer = norm.kind == HeadNorm::Kind::layer;
  if (moments.rstd == nullptr || dgamma == nullptr || (layer && (moments.mean == nullptr || dbeta == nullptr)))
    fail(ErrorKind::internal, "[head_norm_backward] needs the moments of forward and where gradients are added");
  VIT_DISPATCH(HeadNormBackward)(dy, x, norm, moments, dx, dgamma, dbeta);
}

}  // namespace vit
#endif  // HWY_ONCE
