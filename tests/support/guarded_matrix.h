// Matrices whose surroundings tell when a kernel reads or writes beside its elements.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "vit/core/rng.h"
#include "vit/core/tensor_view.h"

namespace vit::test {

/// A matrix in memory that is all NaN of one bit pattern at first, elements too: a value that is read from beside an
/// element or before it was written spoils the result, and `intact` sees every write beside an element.
class GuardedMatrix {
 public:
  /// Rows are `gap` elements apart. The first element is at an odd address on purpose.
  GuardedMatrix(int64_t rows, int64_t cols, int64_t gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        memory_(kGuard + static_cast<std::size_t>(rows * stride_) + kGuard, guard()) {}

  /// Normal numbers of deviation `scale`.
  static GuardedMatrix random(int64_t rows, int64_t cols, int64_t gap, uint64_t seed, float scale = 1) {
    GuardedMatrix m(rows, cols, gap);
    RandomStream stream(seed, RandomPurpose::test);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) m(r, c) = stream.normal() * scale;
    return m;
  }

  void fill(float value) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) (*this)(r, c) = value;
  }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  float* data() { return memory_.data() + kGuard; }
  const float* data() const { return memory_.data() + kGuard; }
  TensorView<float> view() { return TensorView<float>::matrix(data(), rows_, cols_, stride_); }
  TensorView<const float> view() const { return TensorView<const float>::matrix(data(), rows_, cols_, stride_); }
  float& operator()(int64_t r, int64_t c) { return data()[r * stride_ + c]; }
  float operator()(int64_t r, int64_t c) const { return data()[r * stride_ + c]; }

  /// The elements, row by row without gaps.
  std::vector<float> values() const {
    std::vector<float> all;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) all.push_back((*this)(r, c));
    return all;
  }

  bool intact() const {
    const auto is_guard = [](float v) { return std::bit_cast<uint32_t>(v) == kGuardBits; };
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      const auto at = static_cast<int64_t>(i) - static_cast<int64_t>(kGuard);
      const bool element = at >= 0 && at < rows_ * stride_ && at % stride_ < cols_;
      if (!element && !is_guard(memory_[i])) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 67;
  static constexpr uint32_t kGuardBits = 0x7FC0DEAD;
  static float guard() { return std::bit_cast<float>(kGuardBits); }

  int64_t rows_, cols_, stride_;
  std::vector<float> memory_;
};

}  // namespace vit::test
