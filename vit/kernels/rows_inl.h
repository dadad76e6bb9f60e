// Loops over the elements of a row that end safely at any length. Included by kernel sources after
// <hwy/highway.h>, once per target, so the guard toggles; use as `rows::ForEachVector(...)` inside
// namespace vit::HWY_NAMESPACE. Lambdas given to these need HWY_ATTR.
#if defined(VIT_KERNELS_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VIT_KERNELS_ROWS_INL_H_
#undef VIT_KERNELS_ROWS_INL_H_
#else
#define VIT_KERNELS_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "vit/core/matrix.h"
#include "vit/kernels/cast_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {
namespace rows {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

/// Access to a whole vector of floats, stored as float, BFloat16 or int8_t.
struct Full {
  template <class T>
  HWY_INLINE VF Load(const T* p) const {
    return cast::Load(p);
  }
  template <class T>
  HWY_INLINE void Store(VF v, T* p) const {
    cast::Store(v, p);
  }
  /// v with zeros beyond the end of the row.
  HWY_INLINE VF Keep(VF v) const { return v; }
};

/// Access to the last `count` elements of a row, fewer than a vector: the lanes beyond it load as zero and are not
/// stored. Goes through memory of its own, as masked stores may write neighbours back on some targets.
struct Tail {
  int64_t count;

  template <class T>
  HWY_INLINE VF Load(const T* p) const {
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(lanes, p, Bytes<T>());
    return cast::Load(lanes);
  }
  template <class T>
  HWY_INLINE void Store(VF v, T* p) const {
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(float)];
    cast::Store(v, lanes);
    std::memcpy(p, lanes, Bytes<T>());
  }
  HWY_INLINE VF Keep(VF v) const { return hn::IfThenElseZero(hn::FirstN(DF(), static_cast<std::size_t>(count)), v); }

 private:
  template <class T>
  HWY_INLINE std::size_t Bytes() const {
    return static_cast<std::size_t>(count) * sizeof(T);
  }
};

HWY_INLINE int64_t VectorSize() { return static_cast<int64_t>(hn::Lanes(DF())); }

/// body(i, access) for the vectors that start at element i of a row of n.
template <class Body>
HWY_INLINE void ForEachVector(int64_t n, Body body) {
  const int64_t step = VectorSize();
  int64_t i = 0;
  for (; i + step <= n; i += step) body(i, Full());
  if (i < n) body(i, Tail{n - i});
}

/// Sum of term(i, access) over a row of n; four sums run side by side to hide the latency of the adder.
template <class Term>
HWY_INLINE float SumOver(int64_t n, Term term) {
  const DF d;
  const int64_t step = VectorSize();
  VF s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * step <= n; i += 4 * step) {
    s0 = hn::Add(s0, term(i, Full()));
    s1 = hn::Add(s1, term(i + step, Full()));
    s2 = hn::Add(s2, term(i + 2 * step, Full()));
    s3 = hn::Add(s3, term(i + 3 * step, Full()));
  }
  for (; i + step <= n; i += step) s0 = hn::Add(s0, term(i, Full()));
  if (i < n) {
    const Tail tail{n - i};
    s1 = hn::Add(s1, tail.Keep(term(i, tail)));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

/// y = f(x) for n elements; y may be x.
template <class X, class Y, class F>
HWY_INLINE void Map(const X* x, int64_t n, Y* y, F f) {
  ForEachVector(n, [=](int64_t i, auto access) HWY_ATTR { access.Store(f(access.Load(x + i)), y + i); });
}

/// y = f(x, z) for n elements; y may be x or z.
template <class X, class Z, class Y, class F>
HWY_INLINE void Map(const X* x, const Z* z, int64_t n, Y* y, F f) {
  ForEachVector(
      n, [=](int64_t i, auto access) HWY_ATTR { access.Store(f(access.Load(x + i), access.Load(z + i)), y + i); });
}

/// How pairs of vectors lie in memory when X is read and Y written.
template <class Y, class... X>
using PairsOf =
    std::conditional_t<!std::is_same_v<Y, float> && (std::is_same_v<X, BFloat16> && ...), cast::EvenOdd, cast::InOrder>;

/// Access to a whole pair.
template <class Pairs>
struct FullPair {
  template <class T>
  HWY_INLINE void Load(const T* p, VF (&v)[2]) const {
    Pairs::Load(p, v);
  }
  template <class T>
  HWY_INLINE void Store(const VF (&v)[2], T* p) const {
    Pairs::Store(v, p);
  }
};

/// Access to the last `count` elements of a row, fewer than a pair: see Tail.
template <class Pairs>
struct TailPair {
  int64_t count;

  template <class T>
  HWY_INLINE void Load(const T* p, VF (&v)[2]) const {
    HWY_ALIGN T lanes[2 * HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(lanes, p, static_cast<std::size_t>(count) * sizeof(T));
    Pairs::Load(lanes, v);
  }
  template <class T>
  HWY_INLINE void Store(const VF (&v)[2], T* p) const {
    HWY_ALIGN T lanes[2 * HWY_MAX_BYTES / sizeof(float)];
    Pairs::Store(v, lanes);
    std::memcpy(p, lanes, static_cast<std::size_t>(count) * sizeof(T));
  }
};

/// body(i, access) for the pairs that start at element i of a row of n.
template <class Pairs, class Body>
HWY_INLINE void ForEachPair(int64_t n, Body body) {
  const int64_t step = 2 * VectorSize();
  int64_t i = 0;
  for (; i + step <= n; i += step) body(i, FullPair<Pairs>());
  if (i < n) body(i, TailPair<Pairs>{n - i});
}

/// y = f(x) for n elements, f(v) changing a pair of vectors in place; y may be x.
template <class X, class Y, class F>
HWY_INLINE void MapPairs(const X* x, int64_t n, Y* y, F f) {
  ForEachPair<PairsOf<Y, X>>(n, [=](int64_t i, auto access) HWY_ATTR {
    VF v[2];
    access.Load(x + i, v);
    f(v);
    access.Store(v, y + i);
  });
}

/// y = f(x, z) for n elements, f(v, w) changing the pair v in place; y may be x or z.
template <class X, class Z, class Y, class F>
HWY_INLINE void MapPairs(const X* x, const Z* z, int64_t n, Y* y, F f) {
  ForEachPair<PairsOf<Y, X, Z>>(n, [=](int64_t i, auto access) HWY_ATTR {
    VF v[2], w[2];
    access.Load(x + i, v);
    access.Load(z + i, w);
    f(v, w);
    access.Store(v, y + i);
  });
}

/// The same for matrices of one shape.
template <class X, class Y, class F>
HWY_INLINE void MapPairs(TensorView<const X> x, TensorView<Y> y, F f) {
  const bool flat = x.contiguous() && y.contiguous();
  const int64_t rows = flat ? 1 : x.rows(), n = flat ? x.size() : x.cols();
  for (int64_t row = 0; row < rows; ++row) MapPairs(&x(row, 0), n, &y(row, 0), f);
}

template <class X, class Z, class Y, class F>
HWY_INLINE void MapPairs(TensorView<const X> x, TensorView<const Z> z, TensorView<Y> y, F f) {
  const bool flat = x.contiguous() && z.contiguous() && y.contiguous();
  const int64_t rows = flat ? 1 : x.rows(), n = flat ? x.size() : x.cols();
  for (int64_t row = 0; row < rows; ++row) MapPairs(&x(row, 0), &z(row, 0), n, &y(row, 0), f);
}

template <class Void, class T>
using SameConst = std::conditional_t<std::is_const_v<Void>, const T, T>;

/// float for TensorView<float> and TensorView<const float>, and so on.
template <class View>
using ElementOf = std::remove_cvref_t<decltype(*std::declval<View>().data())>;

/// body(view of m) with m's type at compile time: fp32 or bf16.
template <class Void, class Body>
HWY_INLINE void WithFloats(BasicMatrix<Void> m, Body body) {
  if (m.type() == DType::bf16) return body(m.template view<SameConst<Void, BFloat16>>());
  body(m.template view<SameConst<Void, float>>());
}

/// The same for fp32, bf16 or int8.
template <class Void, class Body>
HWY_INLINE void WithNumbers(BasicMatrix<Void> m, Body body) {
  if (m.type() == DType::i8) return body(m.template view<SameConst<Void, int8_t>>());
  WithFloats(m, body);
}

}  // namespace rows
}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#endif  // VIT_KERNELS_ROWS_INL_H_
