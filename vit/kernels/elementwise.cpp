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
template <int64_t Rows, class T>
HWY_INLINE void AddRows(TensorView<const T> x, TensorView<const T> y, int64_t begin, int64_t end, float* sums) {
  for (int64_t row = begin; row < end; row += Rows) {
    const T* a = &x(row, 0);
    const T* b = y ? &y(row, 0) : nullptr;
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

template <class T>
HWY_INLINE void AddAllRows(TensorView<const T> x, TensorView<const T> y, float* sums) {
  constexpr int64_t kRows = 4;
  const int64_t whole = x.rows() / kRows * kRows;
  AddRows<kRows>(x, y, 0, whole, sums);
  AddRows<1>(x, y, whole, x.rows(), sums);
}

void AddColumnSums(ConstMatrix x, float* sums) {
  rows::WithFloats(x, [=](auto in) HWY_ATTR { AddAllRows(in, {}, sums); });
}

void AddColumnDots(TensorView<const float> x, TensorView<const float> y, float* sums) { AddAllRows(x, y, sums); }

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

// Compares bits: as integers, infinity is above the numbers and NaN above infinity.
template <class T>
HWY_INLINE hn::Vec<hn::RebindToSigned<rows::DF>> MaxAbsBits(TensorView<const T> x) {
  const hn::RebindToSigned<rows::DF> di;
  auto top = hn::Zero(di);
  for (int64_t row = 0; row < x.rows(); ++row) {
    const T* in = &x(row, 0);
    rows::ForEachVector(x.cols(), [&](int64_t i, auto access)
                                      HWY_ATTR { top = hn::Max(top, hn::BitCast(di, hn::Abs(access.Load(in + i)))); });
  }
  return top;
}

float MaxAbs(ConstMatrix x) {
  const hn::RebindToSigned<rows::DF> di;
  float top = 0;
  rows::WithFloats(x, [=, &top](auto in) HWY_ATTR {
    const auto bits = hn::MaxOfLanes(di, MaxAbsBits(in));
    top = hn::GetLane(hn::BitCast(rows::DF(), bits));
  });
  return top;
}

void Convert(ConstMatrix from, Matrix to, float scale) {
  rows::WithFloats(from, [=](auto in) HWY_ATTR {
    if (to.type() == DType::i8) {
      const auto factor = hn::Set(rows::DF(), scale);
      rows::MapPairs(in, to.view<int8_t>(), [=](auto& v) HWY_ATTR {
        for (auto& part : v) part = cast::ZeroIfNaN(hn::Mul(part, factor));
      });
    } else {
      rows::WithFloats(to, [=](auto out) HWY_ATTR { rows::MapPairs(in, out, [](auto&) HWY_ATTR {}); });
    }
  });
}

// Kept elements times 1 / (1 - rate), dropped ones times 0, so that NaN stays NaN.
template <class T>
HWY_INLINE void DropoutOf(const T* x, int64_t count, const DropoutMask& mask, int64_t first, T* y) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  HWY_ALIGN uint32_t words[4 * HWY_MAX_BYTES / sizeof(uint32_t)];
  const auto threshold = hn::Set(du, philox::Threshold(mask.rate));
  const auto kept = hn::Set(d, 1.0f / (1.0f - mask.rate));
  const int64_t per_call = philox::WordsPerCall(du);
  for (int64_t begin = 0; begin < count; begin += per_call) {
    philox::DropoutWords(du, mask, first + begin, words);
    const T* in = x + begin;
    T* out = y + begin;
    rows::ForEachVector(HWY_MIN(per_call, count - begin), [&](int64_t i, auto access) HWY_ATTR {
      const auto dropped = hn::RebindMask(d, hn::Lt(hn::Load(du, words + i), threshold));
      access.Store(hn::Mul(access.Load(in + i), hn::IfThenZeroElse(dropped, kept)), out + i);
    });
  }
}

void Dropout(ConstMatrix x, const DropoutMask& mask, int64_t first, Matrix y) {
  rows::WithFloats(y, [&](auto out) HWY_ATTR {
    using T = rows::ElementOf<decltype(out)>;
    DropoutOf<T>(x.view<const T>().data(), x.size(), mask, first, out.data());
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(AddTo);
HWY_EXPORT(Scale);
HWY_EXPORT(ScaleColumns);
HWY_EXPORT(AddColumnSums);
HWY_EXPORT(AddColumnDots);
HWY_EXPORT(MaxAbs);
HWY_EXPORT(Convert);
HWY_EXPORT(SumOfSquares);
HWY_EXPORT(Dropout);

namespace {

// Both of one type and shape; the same memory stays as it is.
void copy_rows(ConstMatrix from, Matrix to) {
  if (from.data() == to.data()) return;
  const auto row_bytes = static_cast<std::size_t>(from.cols() * dtype_bytes(from.type()));
  for (int64_t row = 0; row < from.rows() && row_bytes > 0; ++row)
    std::memcpy(to.slice(row, 1).data(), from.slice(row, 1).data(), row_bytes);
}

}  // namespace

void add_to(const float* x, int64_t count, float* y) { VIT_DISPATCH(AddTo)(x, count, y); }

void scale(const float* x, int64_t count, float s, float* y) { VIT_DISPATCH(Scale)(x, count, s, y); }

void scale_columns(TensorView<const float> x, const float* gamma, TensorView<float> y) {
  check_matrix("scale_columns: x", x, x.rows(), x.cols());
  check_matrix("scale_columns: y", y, x.rows(), x.cols());
  VIT_DISPATCH(ScaleColumns)(x, gamma, y);
}

void add_column_sums(ConstMatrix x, float* sums) {
  check_matrix("add_column_sums: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(AddColumnSums)(x, sums);
}

void add_column_dots(TensorView<const float> x, TensorView<const float> y, float* sums) {
  check_matrix("add_column_dots: x", x, x.rows(), x.cols());
  check_matrix("add_column_dots: y", y, x.rows(), x.cols());
  VIT_DISPATCH(AddColumnDots)(x, y, sums);
}

double sum_of_squares(const float* x, int64_t count) { return VIT_DISPATCH(SumOfSquares)(x, count); }

float max_abs(ConstMatrix x) {
  check_matrix("max_abs: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  return VIT_DISPATCH(MaxAbs)(x);
}

void convert(ConstMatrix from, Matrix to, float scale) {
  check_matrix("convert: to", to, from.rows(), from.cols(), {DType::f32, DType::bf16, DType::i8});
  if (from.type() == to.type()) return copy_rows(from, to);
  check_matrix("convert: from", from, from.rows(), from.cols(), {DType::f32, DType::bf16});
  VIT_DISPATCH(Convert)(from, to, scale);
}

void dropout(ConstMatrix x, const DropoutMask& mask, int64_t first, Matrix y) {
  if (!(mask.rate >= 0 && mask.rate < 1))
    fail(ErrorKind::internal, "[dropout] rate: needs 0 <= rate < 1, has ", mask.rate);
  if (first < 0 || first % 4 != 0) fail(ErrorKind::internal, "[dropout] first: needs a multiple of 4, has ", first);
  check_matrix("dropout: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("dropout: y", y, x.rows(), x.cols(), {x.type()});
  if (!x.contiguous() || !y.contiguous()) fail(ErrorKind::internal, "[dropout] needs contiguous matrices");
  if (mask.rate > 0)
    VIT_DISPATCH(Dropout)(x, mask, first, y);
  else
    copy_rows(x, y);
}

}  // namespace vit
#endif  // HWY_ONCE
