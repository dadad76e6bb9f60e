#include "vit/kernels/convolution.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "vit/kernels/check_shape.h"

namespace vit {
namespace {

float widened(float v) { return v; }
float widened(BFloat16 v) { return to_float(v); }

void set(float v, float& to) { to = v; }
void set(float v, BFloat16& to) { to = to_bf16(v); }
void set(BFloat16 v, float& to) { to = to_float(v); }
void set(BFloat16 v, BFloat16& to) { to = v; }

/// body(view) with the type of m, fp32 or bf16.
template <class Void, class Body>
void with_floats(BasicMatrix<Void> m, Body body) {
  constexpr bool kConst = std::is_const_v<Void>;
  if (m.type() == DType::bf16) return body(m.template view<std::conditional_t<kConst, const BFloat16, BFloat16>>());
  body(m.template view<std::conditional_t<kConst, const float, float>>());
}

template <class X, class Y>
void windows_to_rows(TensorView<const X> x, const Windows& windows, TensorView<Y> columns) {
  const int64_t channels = x.cols(), taps = windows.taps();
  for (int64_t row = 0; row < columns.rows(); ++row) {
    const Taps inside = inputs_of(windows, row);
    Y* to = &columns(row, 0);
    if (inside.count < taps) std::fill_n(to, channels * taps, Y{});
    for (const auto& tap : inside) {
      const X* from = &x(tap.row, 0);
      for (int64_t c = 0; c < channels; ++c) set(from[c], to[c * taps + tap.index]);
    }
  }
}

template <class X, class Y>
void rows_to_windows(TensorView<const X> dcolumns, const Windows& windows, TensorView<Y> dx) {
  constexpr int64_t kBlock = 256;
  std::array<float, kBlock> sums;
  const int64_t channels = dx.cols(), taps = windows.taps();
  for (int64_t row = 0; row < dx.rows(); ++row) {
    const Taps holding = outputs_of(windows, row);
    for (int64_t begin = 0; begin < channels; begin += kBlock) {
      const int64_t count = std::min(kBlock, channels - begin);
      std::fill_n(sums.begin(), count, 0.0f);
      for (const auto& tap : holding) {
        const X* from = &dcolumns(tap.row, begin * taps + tap.index);
        float* sum = sums.data();
        for (int64_t c = 0; c < count; ++c) sum[c] += widened(from[c * taps]);
      }
      Y* to = &dx(row, begin);
      for (int64_t c = 0; c < count; ++c) set(sums[static_cast<std::size_t>(c)], to[c]);
    }
  }
}

void check_pictures(const char* what, const ConstMatrix& x, const Windows& windows, const ConstMatrix& columns) {
  check_windows(what, windows);
  if (x.rows() % windows.pixels() != 0)
    fail(ErrorKind::internal, "[", what, "] needs whole pictures of ", windows.pixels(), " rows, has ", x.rows());
  const int64_t pictures = x.rows() / windows.pixels();
  check_matrix(what, x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix(what, columns, pictures * windows.out_pixels(), x.cols() * windows.taps(), {DType::f32, DType::bf16});
}

}  // namespace

void im2col(ConstMatrix x, const Windows& windows, Matrix columns) {
  check_pictures("im2col", x, windows, columns);
  with_floats(x, [&](auto in) { with_floats(columns, [&](auto out) { windows_to_rows(in, windows, out); }); });
}

void col2im(ConstMatrix dcolumns, const Windows& windows, Matrix dx) {
  check_pictures("col2im", dx, windows, dcolumns);
  with_floats(dcolumns, [&](auto in) { with_floats(dx, [&](auto out) { rows_to_windows(in, windows, out); }); });
}

}  // namespace vit
