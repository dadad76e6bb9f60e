// Matrices whose surroundings tell when a kernel reads or writes beside its elements.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "vit/core/dtype.h"
#include "vit/core/rng.h"
#include "vit/core/tensor_view.h"

namespace vit::test {

inline float as_float(float v) { return v; }
inline float as_float(BFloat16 v) { return to_float(v); }
inline float as_float(int8_t v) { return v; }

inline void assign(float& to, float v) { to = v; }
inline void assign(BFloat16& to, float v) { to = to_bf16(v); }
inline void assign(int8_t& to, float v) { to = static_cast<int8_t>(v); }

// What the memory beside the elements holds: NaN where the type has one.
template <class T>
struct GuardOf;
template <>
struct GuardOf<float> {
  static constexpr uint32_t kBits = 0x7FC0DEAD;
};
template <>
struct GuardOf<BFloat16> {
  static constexpr uint16_t kBits = 0x7FDE;
};
template <>
struct GuardOf<int8_t> {
  static constexpr uint8_t kBits = 0xA5;
};

/// A matrix in memory that is all one bit pattern at first, NaN where the type has it, elements too: a value that is
/// read from beside an element or before it was written spoils the result, and `intact` sees every write beside an
/// element.
template <class T>
class Guarded {
 public:
  /// Rows are `gap` elements apart. The first element is at an odd address on purpose.
  Guarded(int64_t rows, int64_t cols, int64_t gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        memory_(kGuard + static_cast<std::size_t>(rows * stride_) + kGuard, guard()) {}

  /// Normal numbers of deviation `scale`.
  static Guarded random(int64_t rows, int64_t cols, int64_t gap, uint64_t seed, float scale = 1) {
    Guarded m(rows, cols, gap);
    RandomStream stream(seed, RandomPurpose::test);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) assign(m(r, c), stream.normal() * scale);
    return m;
  }

  void fill(float value) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) assign((*this)(r, c), value);
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
      for (int64_t c = 0; c < cols_; ++c) all.push_back(as_float((*this)(r, c)));
    return all;
  }

  bool intact() const {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      const auto at = static_cast<int64_t>(i) - static_cast<int64_t>(kGuard);
      const bool element = at >= 0 && at < rows_ * stride_ && at % stride_ < cols_;
      if (!element && std::bit_cast<Bits>(memory_[i]) != GuardOf<T>::kBits) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 67;
  using Bits = std::remove_const_t<decltype(GuardOf<T>::kBits)>;
  static T guard() { return std::bit_cast<T>(GuardOf<T>::kBits); }

  int64_t rows_, cols_, stride_;
  std::vector<T> memory_;
};

using GuardedMatrix = Guarded<float>;

}  // namespace vit::test
