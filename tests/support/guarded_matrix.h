// Matrices whose surroundings tell when a kernel reads or writes beside its elements.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "vit/core/dtype.h"
#include "vit/core/rng.h"
#include "vit/core/tensor_view.h"

namespace vit::test {

/// Bits that no kernel writes: a NaN with a payload, for int8 the value below the range that results are held to.
template <class T>
struct Guard {
  static T value() { return std::bit_cast<float>(0x7FC0DEADu); }
  static bool is(T x) { return std::bit_cast<uint32_t>(x) == 0x7FC0DEADu; }
  static float widened(T x) { return x; }
  static T narrowed(float x) { return x; }
};
template <>
struct Guard<BFloat16> {
  static BFloat16 value() { return {0x7FED}; }
  static bool is(BFloat16 x) { return x.bits == 0x7FED; }
  static float widened(BFloat16 x) { return to_float(x); }
  static BFloat16 narrowed(float x) { return to_bf16(x); }
};
template <>
struct Guard<int8_t> {
  static int8_t value() { return -128; }
  static bool is(int8_t x) { return x == -128; }
  static float widened(int8_t x) { return x; }
  static int8_t narrowed(float x) { return static_cast<int8_t>(x); }
};

/// A matrix in memory that is all NaN of one bit pattern at first (int8: -128), elements too: a value that is read from
/// beside an element or before it was written spoils the result, and `intact` sees every write beside an element.
template <class T>
class GuardedMatrixOf {
 public:
  /// Rows are `gap` elements apart. The first element is at an odd address on purpose.
  GuardedMatrixOf(int64_t rows, int64_t cols, int64_t gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        memory_(kGuard + static_cast<std::size_t>(rows * stride_) + kGuard, Guard<T>::value()) {}

  /// Normal numbers of deviation `scale`.
  static GuardedMatrixOf random(int64_t rows, int64_t cols, int64_t gap, uint64_t seed, float scale = 1) {
    GuardedMatrixOf m(rows, cols, gap);
    RandomStream stream(seed, RandomPurpose::test);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) m(r, c) = Guard<T>::narrowed(stream.normal() * scale);
    return m;
  }

  void fill(T value) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) (*this)(r, c) = value;
  }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  T* data() { return memory_.data() + kGuard; }
  const T* data() const { return memory_.data() + kGuard; }
  TensorView<T> view() { return TensorView<T>::matrix(data(), rows_, cols_, stride_); }
  TensorView<const T> view() const { return TensorView<const T>::matrix(data(), rows_, cols_, stride_); }
  T& operator()(int64_t r, int64_t c) { return data()[r * stride_ + c]; }
  T operator()(int64_t r, int64_t c) const { return data()[r * stride_ + c]; }

  /// The elements as floats, row by row without gaps.
  std::vector<float> values() const {
    std::vector<float> all;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) all.push_back(Guard<T>::widened((*this)(r, c)));
    return all;
  }

  bool intact() const {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      const auto at = static_cast<int64_t>(i) - static_cast<int64_t>(kGuard);
      const bool element = at >= 0 && at < rows_ * stride_ && at % stride_ < cols_;
      if (!element && !Guard<T>::is(memory_[i])) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 67;

  int64_t rows_, cols_, stride_;
  std::vector<T> memory_;
};

using GuardedMatrix = GuardedMatrixOf<float>;

}  // namespace vit::test
