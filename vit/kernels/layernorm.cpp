#include "vit/kernels/layernorm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/layernorm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>
#include <type_traits>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/four_rows_inl.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The sums of all lanes of kRows vectors.
template <int kRows>
HWY_INLINE void SumLanes(const rows::VF (&v)[kRows], float (&sums)[kRows]) {
  for (int begin = 0; begin < kRows; begin += 4) {
    rows::VF four[4];
    for (int r = 0; r < 4; ++r) four[r] = v[begin + (begin + r < kRows ? r : 0)];
    const four_rows::Four joined = four_rows::Join(four, four_rows::Sum());
    for (int r = 0; r < 4 && begin + r < kRows; ++r) sums[begin + r] = joined.row[r];
  }
}

// kRows rows from `row` on, side by side: one alone would wait for its mean, then for its variance. The bits of a row
// do not depend on the others.
template <int kRows, class Y>
HWY_INLINE void ForwardRows(TensorView<const float> x, int64_t row, const float* gamma, const float* beta, float eps,
                            TensorView<Y> y, float* mean, float* rstd) {
  const rows::DF d;
  const int64_t cols = x.cols();
  const auto n = static_cast<float>(cols);
  const float* in[kRows];
  Y* out[kRows];
  float sums[kRows];
  rows::VF m[kRows], s[kRows], sum[kRows];
  for (int r = 0; r < kRows; ++r) in[r] = &x(row + r, 0), out[r] = &y(row + r, 0), sum[r] = hn::Zero(d);

  rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
    for (int r = 0; r < kRows; ++r) sum[r] = hn::Add(sum[r], access.Load(in[r] + i));
  });
  SumLanes<kRows>(sum, sums);
  for (int r = 0; r < kRows; ++r) m[r] = hn::Set(d, sums[r] / n), sum[r] = hn::Zero(d);

  rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
    for (int r = 0; r < kRows; ++r) {
      const auto deviation = access.Keep(hn::Sub(access.Load(in[r] + i), m[r]));
      sum[r] = hn::MulAdd(deviation, deviation, sum[r]);
    }
  });
  SumLanes<kRows>(sum, sums);
  for (int r = 0; r < kRows; ++r) s[r] = hn::Set(d, 1.0f / std::sqrt(sums[r] / n + eps));

  rows::ForEachPair<cast::InOrder>(cols, [&](int64_t i, auto access) HWY_ATTR {
    rows::VF g[2], b[2], v[2];
    access.Load(gamma + i, g);
    access.Load(beta + i, b);
    for (int r = 0; r < kRows; ++r) {
      access.Load(in[r] + i, v);
      for (int k = 0; k < 2; ++k) {
        v[k] = hn::MulAdd(hn::Mul(hn::Sub(v[k], m[r]), s[r]), g[k], b[k]);
        if (std::is_same_v<Y, int8_t>) v[k] = cast::ZeroIfNaN(v[k]);
      }
      access.Store(v, out[r] + i);
    }
  });
  for (int r = 0; r < kRows && mean != nullptr; ++r) mean[row + r] = hn::GetLane(m[r]);
  for (int r = 0; r < kRows && rstd != nullptr; ++r) rstd[row + r] = hn::GetLane(s[r]);
}

void LayernormForward(TensorView<const float> x, const float* gamma, const float* beta, float eps, Matrix y,
                      float* mean, float* rstd) {
  rows::WithNumbers(y, [=](auto out) HWY_ATTR {
    constexpr int kSideBySide = HWY_TARGET <= HWY_AVX3 ? 8 : 4;  // as the registers allow
    int64_t row = 0;
    for (; row + kSideBySide <= x.rows(); row += kSideBySide)
      ForwardRows<kSideBySide>(x, row, gamma, beta, eps, out, mean, rstd);
    for (; row < x.rows(); ++row) ForwardRows<1>(x, row, gamma, beta, eps, out, mean, rstd);
  });
}

// With g = dy gamma and h = (x - mean) rstd:  dx = rstd (g - mean(g) - h mean(g h)) + residual.
void LayernormBackward(TensorView<const float> dy, TensorView<const float> x, const float* mean, const float* rstd,
                       const float* gamma, TensorView<const float> residual, TensorView<float> dx, float* dgamma,
                       float* dbeta) {
  const hn::ScalableTag<float> d;
  const int64_t cols = x.cols();
  for (int64_t row = 0; row < x.rows(); ++row) {
    const float* dout = &dy(row, 0);
    const float* in = &x(row, 0);
    const auto vm = hn::Set(d, mean[row]), vr = hn::Set(d, rstd[row]);
    auto sum_g = hn::Zero(d), sum_gh = hn::Zero(d);
    rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
      const auto v = access.Load(dout + i);
      const auto h = hn::Mul(hn::Sub(access.Load(in + i), vm), vr);
      const auto g = hn::Mul(v, access.Load(gamma + i));  // zero beyond the end of the row
      sum_g = hn::Add(sum_g, g);
      sum_gh = hn::MulAdd(g, h, sum_gh);
      access.Store(hn::MulAdd(v, h, access.Load(dgamma + i)), dgamma + i);
      access.Store(hn::Add(v, access.Load(dbeta + i)), dbeta + i);
    });
    const auto inverse_n = hn::Set(d, 1.0f / static_cast<float>(cols));
    const auto mean_g = hn::Mul(hn::SumOfLanes(d, sum_g), inverse_n);
    const auto mean_gh = hn::Mul(hn::SumOfLanes(d, sum_gh), inverse_n);
    const float* skip = residual ? &residual(row, 0) : nullptr;
    float* out = &dx(row, 0);
    rows::ForEachVector(cols, [=](int64_t i, auto access) HWY_ATTR {
      const auto h = hn::Mul(hn::Sub(access.Load(in + i), vm), vr);
      const auto g = hn::Mul(access.Load(dout + i), access.Load(gamma + i));
      const auto inner = hn::NegMulAdd(h, mean_gh, hn::Sub(g, mean_g));
      const auto base = skip != nullptr ? access.Load(skip + i) : hn::Zero(d);
      access.Store(hn::MulAdd(inner, vr, base), out + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(LayernormForward);
HWY_EXPORT(LayernormBackward);

void layernorm_forward(TensorView<const float> x, const float* gamma, const float* beta, float eps, Matrix y,
                       float* mean, float* rstd) {
  check_matrix("layernorm_forward: x", x, x.rows(), x.cols());
  check_matrix("layernorm_forward: y", y, x.rows(), x.cols(), {DType::f32, DType::bf16, DType::i8});
  VIT_DISPATCH(LayernormForward)(x, gamma, beta, eps, y, mean, rstd);
}

void layernorm_backward(TensorView<const float> dy, TensorView<const float> x, const float* mean, const float* rstd,
                        const float* gamma, TensorView<const float> residual, TensorView<float> dx, float* dgamma,
                        float* dbeta) {
  check_matrix("layernorm_backward: x", x, x.rows(), x.cols());
  check_matrix("layernorm_backward: dy", dy, x.rows(), x.cols());
  check_matrix("layernorm_backward: dx", dx, x.rows(), x.cols());
  if (residual) check_matrix("layernorm_backward: residual", residual, x.rows(), x.cols());
  VIT_DISPATCH(LayernormBackward)(dy, x, mean, rstd, gamma, residual, dx, dgamma, dbeta);
}

}  // namespace vit
#endif  // HWY_ONCE
