#include "vit/kernels/max_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/max_pool.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Places are kept as floats; those of the largest window are exact as int8.
template <class T>
HWY_INLINE void MaximaOf(TensorView<const T> x, const Windows& windows, TensorView<T> y, TensorView<int8_t> winners) {
  const rows::DF d;
  for (int64_t row = 0; row < y.rows(); ++row) {
    const Taps inside = inputs_of(windows, row);
    T* out = &y(row, 0);
    int8_t* places = winners ? &winners(row, 0) : nullptr;
    rows::ForEachVector(x.cols(), [&](int64_t i, auto access) HWY_ATTR {
      const auto& first = inside.list[0];
      auto best = access.Load(&x(first.row, i));
      auto place = hn::Set(d, static_cast<float>(first.index));
      for (int64_t t = 1; t < inside.count; ++t) {
        const auto& tap = inside.list[static_cast<std::size_t>(t)];
        const auto v = access.Load(&x(tap.row, i));
        const auto wins = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
        best = hn::IfThenElse(wins, v, best);
        place = hn::IfThenElse(wins, hn::Set(d, static_cast<float>(tap.index)), place);
      }
      access.Store(best, out + i);
      if (places != nullptr) access.Store(place, places + i);
    });
  }
}

void MaxPoolForward(ConstMatrix x, const Windows& windows, Matrix y, Matrix winners) {
  const auto places = winners ? winners.view<int8_t>() : TensorView<int8_t>();
  rows::WithFloats(
      y, [&](auto out) HWY_ATTR { MaximaOf(x.view<const rows::ElementOf<decltype(out)>>(), windows, out, places); });
}

template <class X, class Y>
HWY_INLINE void GradientsOf(TensorView<const X> dy, const Windows& windows, TensorView<const int8_t> winners,
                            TensorView<Y> dx) {
  const rows::DF d;
  for (int64_t row = 0; row < dx.rows(); ++row) {
    const Taps holding = outputs_of(windows, row);
    Y* out = &dx(row, 0);
    rows::ForEachVector(dx.cols(), [&](int64_t i, auto access) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (int64_t t = 0; t < holding.count; ++t) {
        const auto& tap = holding.list[static_cast<std::size_t>(t)];
        const auto won = hn::Eq(access.Load(&winners(tap.row, i)), hn::Set(d, static_cast<float>(tap.index)));
        sum = hn::Add(sum, hn::IfThenElseZero(won, access.Load(&dy(tap.row, i))));
      }
      access.Store(sum, out + i);
    });
  }
}

void MaxPoolBackward(ConstMatrix dy, const Windows& windows, ConstMatrix winners, Matrix dx) {
  rows::WithFloats(dy, [&](auto gradient) HWY_ATTR {
    rows::WithFloats(dx, [&](auto out) HWY_ATTR { GradientsOf(gradient, windows, winners.view<const int8_t>(), out); });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(MaxPoolForward);
HWY_EXPORT(MaxPoolBackward);

namespace {

static_assert(Windows::kMaxSide * Windows::kMaxSide <= 127, "places are kept as int8");

void check_pictures(const char* what, const ConstMatrix& x, const Windows& windows, const ConstMatrix& y) {
  check_windows(what, windows);
  if (x.rows() % windows.pixels() != 0)
    fail(ErrorKind::internal, "[", what, "] needs whole pictures of ", windows.pixels(), " rows, has ", x.rows());
  check_matrix(what, x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix(what, y, x.rows() / windows.pixels() * windows.out_pixels(), x.cols(), {DType::f32, DType::bf16});
}

}  // namespace

void max_pool_forward(ConstMatrix x, const Windows& windows, Matrix y, Matrix winners) {
  check_pictures("max_pool_forward", x, windows, y);
  check_matrix("max_pool_forward: y", y, y.rows(), y.cols(), {x.type()});
  if (winners) check_matrix("max_pool_forward: winners", winners, y.rows(), y.cols(), {DType::i8});
  VIT_DISPATCH(MaxPoolForward)(x, windows, y, winners);
}

void max_pool_backward(ConstMatrix dy, const Windows& windows, ConstMatrix winners, Matrix dx) {
  check_pictures("max_pool_backward", dx, windows, dy);
  check_matrix("max_pool_backward: winners", winners, dy.rows(), dy.cols(), {DType::i8});
  VIT_DISPATCH(MaxPoolBackward)(dy, windows, winners, dx);
}

}  // namespace vit
#endif  // HWY_ONCE
