#include "vit/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cstring>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/philox_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void AddTo(const float* x, int64_t count, float* y) {
  rows::Map(x, y, count, y, [](auto a, auto b) HWY_ATTR { return hn::Add(b, a); });
}

void Scale(const float* x, int64_t count, float s, float* y) {
  const auto factor = hn::Set(hn::ScalableTag<float>(), s);
  rows::Map(x, count, y, [=](auto v) HWY_ATTR { return hn::Mul(v, factor); });
}

void ScaleColumns(TensorView<const float> x, const float* gamma, TensorView<float> y) {
  for (int64_t row = 0; row < x.rows(); ++row)
    rows::Map(&x(row, 0), gamma, x.cols(), &y(row, 0), [](auto v, auto g) HWY_ATTR { return hn::Mul(v, g); });
}

// Adds rows [begin, end) of x, or of x * y where y is given, to the sums; `Rows` of them at a time, one after the
// other, so that the sums are read and written once for several rows.
template <int64_t Rows>
HWY_INLINE void AddRows(TensorView<const float> x, TensorView<const float> y, int64_t begin, int64_t end, float* sums) {
  for (int64_t row = begin; row < end; row += Rows) {
    const float* a = &x(row, 0);
    const float* b = y ? &y(row, 0) : nullptr;
    const int64_t a_stride = x.stride(0), b_stride = y.stride(0);
    rows::ForEachVector(x.cols(), [=](int64_t i, auto access) HWY_ATTR {
      auto sum = access.Load(sums + i);
      for (int64_t r = 0; r < Rows; ++r) {
        const auto v = access.Load(a + r * a_stride + i);
        sum = b == nullptr ? hn::Add(sum, v) : hn::MulAdd(v, access.Load(b + r * b_stride + i), sum);
      }
      access.Store(sum, sums + i);
    });
  }
}

void AddColumns(TensorView<const float> x, TensorView<const float> y, float* sums) {
  constexpr int64_t kRows = 4;
  const int64_t whole = x.rows() / kRows * kRows;
  AddRows<kRows>(x, y, 0, whole, sums);
  AddRows<1>(x, y, whole, x.rows(), sums);
}

double SumOfSquares(const float* x, int64_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  const auto square_add = [=](const float* p, auto sum) HWY_ATTR {
    const auto v = hn::PromoteTo(d, hn::LoadU(half, p));
    return hn::MulAdd(v, v, sum);
  };
  int64_t i = 0;
  for (; i + 4 * step <= count; i += 4 * step) {
    s0 = square_add(x + i, s0);
    s1 = square_add(x + i + step, s1);
    s2 = square_add(x + i + 2 * step, s2);
    s3 = square_add(x + i + 3 * step, s3);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// Kept elements times 1 / (1 - rate), dropped ones times 0, so that NaN stays NaN.
void Dropout(const float* x, int64_t count, const DropoutMask& mask, int64_t first, float* y) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  HWY_ALIGN uint32_t words[4 * HWY_MAX_BYTES / sizeof(uint32_t)];
  const auto threshold = hn::Set(du, philox::Threshold(mask.rate));
  const auto kept = hn::Set(d, 1.0f / (1.0f - mask.rate));
  const int64_t per_call = philox::WordsPerCall(du);
  for (int64_t begin = 0; begin < count; begin += per_call) {
    philox::DropoutWords(du, mask, first + begin, words);
    const float* in = x + begin;
    float* out = y + begin;
    rows::ForEachVector(HWY_MIN(per_call, count - begin), [&](int64_t i, auto access) HWY_ATTR {
      const auto dropped = hn::RebindMask(d, hn::Lt(hn::Load(du, words + i), threshold));
      access.Store(hn::Mul(access.Load(in + i), hn::IfThenZeroElse(dropped, kept)), out + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(AddTo);
HWY_EXPORT(Scale);
HWY_EXPORT(ScaleColumns);
HWY_EXPORT(AddColumns);
HWY_EXPORT(SumOfSquares);
HWY_EXPORT(Dropout);

void add_to(const float* x, int64_t count, float* y) { VIT_DISPATCH(AddTo)(x, count, y); }

void scale(const float* x, int64_t count, float s, float* y) { VIT_DISPATCH(Scale)(x, count, s, y); }

void scale_columns(TensorView<const float> x, const float* gamma, TensorView<float> y) {
  check_matrix("scale_columns: x", x, x.rows(), x.cols());
  check_matrix("scale_columns: y", y, x.rows(), x.cols());
  VIT_DISPATCH(ScaleColumns)(x, gamma, y);
}

void add_column_sums(TensorView<const float> x, float* sums) {
  check_matrix("add_column_sums: x", x, x.rows(), x.cols());
  VIT_DISPATCH(AddColumns)(x, {}, sums);
}

void add_column_dots(TensorView<const float> x, TensorView<const float> y, float* sums) {
  check_matrix("add_column_dots: x", x, x.rows(), x.cols());
  check_matrix("add_column_dots: y", y, x.rows(), x.cols());
  VIT_DISPATCH(AddColumns)(x, y, sums);
}

double sum_of_squares(const float* x, int64_t count) { return VIT_DISPATCH(SumOfSquares)(x, count); }

void dropout(const float* x, int64_t count, const DropoutMask& mask, int64_t first, float* y) {
  if (!(mask.rate >= 0 && mask.rate < 1))
    fail(ErrorKind::internal, "[dropout] rate: needs 0 <= rate < 1, has ", mask.rate);
  if (first < 0 || first % 4 != 0) fail(ErrorKind::internal, "[dropout] first: needs a multiple of 4, has ", first);
  if (mask.rate > 0)
    VIT_DISPATCH(Dropout)(x, count, mask, first, y);
  else if (x != y && count > 0)
    std::memcpy(y, x, static_cast<std::size_t>(count) * sizeof(float));
}

}  // namespace vit
#endif  // HWY_ONCE
