#include "vit/kernels/rotate.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/rotate.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors of the even and of the odd elements.
struct EvenOdd : cast::EvenOdd {
  using cast::EvenOdd::Load;
  using cast::EvenOdd::Store;
  static HWY_INLINE void Load(const float* p, rows::VF (&v)[2]) { hn::LoadInterleaved2(rows::DF(), p, v[0], v[1]); }
  static HWY_INLINE void Store(const rows::VF (&v)[2], float* p) { hn::StoreInterleaved2(v[0], v[1], rows::DF(), p); }
};

// How tables are read where pairs are.
HWY_INLINE rows::Full OfPairs(rows::FullPair<EvenOdd>) { return {}; }
HWY_INLINE rows::Tail OfPairs(rows::TailPair<EvenOdd> access) { return {access.count / 2}; }

HWY_INLINE void Turn(rows::VF cosine, rows::VF sine, rows::VF& a, rows::VF& b) {
  const auto old_a = a;
  a = hn::NegMulAdd(b, sine, hn::Mul(a, cosine));
  b = hn::MulAdd(old_a, sine, hn::Mul(b, cosine));
}

// One head of `pairs` pairs.
template <class T>
HWY_INLINE void TurnAdjacent(T* x, int64_t pairs, const float* cosine, const float* sine, float sign) {
  const auto signs = hn::Set(rows::DF(), sign);
  rows::ForEachPair<EvenOdd>(2 * pairs, [=](int64_t i, auto access) HWY_ATTR {
    const auto table = OfPairs(access);
    rows::VF v[2];
    access.Load(x + i, v);
    Turn(table.Load(cosine + i / 2), hn::Mul(table.Load(sine + i / 2), signs), v[0], v[1]);
    access.Store(v, x + i);
  });
}

template <class T>
HWY_INLINE void TurnHalves(T* x, int64_t pairs, const float* cosine, const float* sine, float sign) {
  const auto signs = hn::Set(rows::DF(), sign);
  rows::ForEachVector(pairs, [=](int64_t i, auto access) HWY_ATTR {
    auto a = access.Load(x + i), b = access.Load(x + pairs + i);
    Turn(access.Load(cosine + i), hn::Mul(access.Load(sine + i), signs), a, b);
    access.Store(a, x + i);
    access.Store(b, x + pairs + i);
  });
}

void RotateRows(Matrix m, const Rotation& rotation) {
  const int64_t pairs = rotation.cosine.cols();
  const float sign = rotation.inverse ? -1.0f : 1.0f;
  rows::WithFloats(m, [&](auto x) HWY_ATTR {
    for (int64_t row = 0; row < x.rows(); ++row) {
      const float *cosine = &rotation.cosine(row, 0), *sine = &rotation.sine(row, 0);
      for (int64_t head = 0; head < x.cols(); head += 2 * pairs) {
        if (rotation.pairs == RotaryPairs::adjacent)
          TurnAdjacent(&x(row, head), pairs, cosine, sine, sign);
        else
          TurnHalves(&x(row, head), pairs, cosine, sine, sign);
      }
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(RotateRows);

void rotate_rows(Matrix x, const Rotation& rotation) {
  const int64_t pairs = rotation.cosine ? rotation.cosine.cols() : 0;
  check_matrix("rotate_rows: x", x, x.rows(), x.cols(), {DType::f32, DType::bf16});
  check_matrix("rotate_rows: cosine", rotation.cosine, x.rows(), pairs);
  check_matrix("rotate_rows: sine", rotation.sine, x.rows(), pairs);
  if (pairs < 1 || x.cols() % (2 * pairs) != 0)
    fail(ErrorKind::internal, "[rotate_rows: x] needs whole heads of ", 2 * pairs, " columns, twice the tables', has ",
         x.cols());
  VIT_DISPATCH(RotateRows)(x, rotation);
}

}  // namespace vit
#endif  // HWY_ONCE
