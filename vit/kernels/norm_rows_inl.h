// Normalisation of single rows, forward and backward, for the kernels of several norms. Included by kernel sources
// after <hwy/highway.h>, once per target, so the guard toggles; use as `norm::Forward(...)` inside namespace
// vit::HWY_NAMESPACE. Layer norm (kCentred): y = (x - mean) rstd gamma + beta; RMS norm: y = x rstd gamma.
#if defined(VIT_KERNELS_NORM_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_NORM_ROWS_INL_H_
#undef VIT_KERNELS_NORM_ROWS_INL_H_
#else
#define VIT_KERNELS_NORM_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "vit/kernels/four_rows_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace norm {

namespace hn = hwy::HWY_NAMESPACE;
using rows::VF;

/// The sums of all lanes of kRows vectors.
template <int kRows>
HWY_INLINE void SumLanes(const VF (&v)[kRows], float (&sums)[kRows]) {
  for (int begin = 0; begin < kRows; begin += 4) {
    VF four[4];
    for (int r = 0; r < 4; ++r) four[r] = v[begin + (begin + r < kRows ? r : 0)];
    const four_rows::Four joined = four_rows::Join(four, four_rows::Sum());
    for (int r = 0; r < 4 && begin + r < kRows; ++r) sums[begin + r] = joined.row[r];
  }
}

/// What all rows of a call share: their length and factors; beta is not looked at by RMS norm.
struct Factors {
  int64_t cols;
  const float *gamma, *beta;
  float eps;
};

/// kRows rows in[r] side by side, as one alone would wait for its mean, then for its variance. The bits of a row do not
/// depend on the others. mean and rstd [kRows] are written unless null.
template <bool kCentred, int kRows, class X, class Y>
HWY_INLINE void Forward(const Factors& factors, const X* const (&in)[kRows], Y* const (&out)[kRows], float* mean,
                        float* rstd) {
  const rows::DF d;
  const int64_t cols = factors.cols;
  const auto n = static_cast<float>(cols);
  const float *gamma = factors.gamma, *beta = factors.beta;
  float sums[kRows];
  VF m[kRows], s[kRows], sum[kRows];
  for (int r = 0; r < kRows; ++r) m[r] = sum[r] = hn::Zero(d);

  if constexpr (kCentred) {
    rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
      for (int r = 0; r < kRows; ++r) sum[r] = hn::Add(sum[r], access.Load(in[r] + i));
    });
    SumLanes<kRows>(sum, sums);
    for (int r = 0; r < kRows; ++r) m[r] = hn::Set(d, sums[r] / n), sum[r] = hn::Zero(d);
  }

  rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
    for (int r = 0; r < kRows; ++r) {
      auto deviation = access.Load(in[r] + i);  // zero beyond the end of the row
      if (kCentred) deviation = access.Keep(hn::Sub(deviation, m[r]));
      sum[r] = hn::MulAdd(deviation, deviation, sum[r]);
    }
  });
  SumLanes<kRows>(sum, sums);
  for (int r = 0; r < kRows; ++r) s[r] = hn::Set(d, 1.0f / std::sqrt(sums[r] / n + factors.eps));

  rows::ForEachPair<cast::InOrder>(cols, [&](int64_t i, auto access) HWY_ATTR {
    VF g[2], b[2], v[2];
    access.Load(gamma + i, g);
    if (kCentred) access.Load(beta + i, b);
    for (int r = 0; r < kRows; ++r) {
      access.Load(in[r] + i, v);
      for (int k = 0; k < 2; ++k) {
        v[k] =
            kCentred ? hn::MulAdd(hn::Mul(hn::Sub(v[k], m[r]), s[r]), g[k], b[k]) : hn::Mul(hn::Mul(v[k], s[r]), g[k]);
        if (std::is_same_v<Y, int8_t>) v[k] = cast::ZeroIfNaN(v[k]);
      }
      access.Store(v, out[r] + i);
    }
  });
  for (int r = 0; r < kRows && mean != nullptr; ++r) mean[r] = hn::GetLane(m[r]);
  for (int r = 0; r < kRows && rstd != nullptr; ++r) rstd[r] = hn::GetLane(s[r]);
}

/// What backward knows of a row; `skip` [cols] is added to its dx unless null.
template <class T>
struct Row {
  const T *dy, *x;
  float mean, rstd;  // no mean for RMS norm
  const float* skip;
  T* dx;
};

/// With g = dy gamma and h = (x - mean) rstd:  dx = rstd (g - mean(g) - h mean(g h)) + skip, dgamma += dy h,
/// dbeta += dy; RMS norm has no mean, mean(g) and dbeta.
template <bool kCentred, class T>
HWY_INLINE void Backward(const Row<T>& row, int64_t cols, const float* gamma, float* dgamma, float* dbeta) {
  const rows::DF d;
  const T *dout = row.dy, *in = row.x;
  const auto vm = hn::Set(d, row.mean), vr = hn::Set(d, row.rstd);
  const auto normed = [=](VF x) HWY_ATTR { return hn::Mul(kCentred ? hn::Sub(x, vm) : x, vr); };
  auto sum_g = hn::Zero(d), sum_gh = hn::Zero(d);
  rows::ForEachVector(cols, [&](int64_t i, auto access) HWY_ATTR {
    const auto v = access.Load(dout + i);
    const auto h = normed(access.Load(in + i));
    const auto g = hn::Mul(v, access.Load(gamma + i));  // zero beyond the end of the row
    if (kCentred) sum_g = hn::Add(sum_g, g);
    sum_gh = hn::MulAdd(g, h, sum_gh);
    access.Store(hn::MulAdd(v, h, access.Load(dgamma + i)), dgamma + i);
    if (kCentred) access.Store(hn::Add(v, access.Load(dbeta + i)), dbeta + i);
  });
  const auto inverse_n = hn::Set(d, 1.0f / static_cast<float>(cols));
  const auto mean_g = hn::Mul(hn::SumOfLanes(d, sum_g), inverse_n);
  const auto mean_gh = hn::Mul(hn::SumOfLanes(d, sum_gh), inverse_n);
  const float* skip = row.skip;
  T* out = row.dx;
  rows::ForEachVector(cols, [=](int64_t i, auto access) HWY_ATTR {
    const auto h = normed(access.Load(in + i));
    const auto g = hn::Mul(access.Load(dout + i), access.Load(gamma + i));
    const auto inner = hn::NegMulAdd(h, mean_gh, kCentred ? hn::Sub(g, mean_g) : g);
    const auto base = skip != nullptr ? access.Load(skip + i) : hn::Zero(d);
    access.Store(hn::MulAdd(inner, vr, base), out + i);
  });
}

}  // namespace norm
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_NORM_ROWS_INL_H_
