// Non-owning views of numbers in memory. Shape letters, the same everywhere in this project:
//   B batch   N tokens of an image   D width   H heads   K head size   F mlp width
//   C classes P patch side           M rows of a matrix, usually B*N
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "vit/core/error.h"

namespace vit {

/// Pointer, shape and strides (in elements) of up to four dimensions; passed by value, constness in T.
/// The view never owns: it is valid as long as the AlignedBuffer or Arena behind it.
template <class T>
class TensorView {
 public:
  static constexpr int kMaxRank = 4;

  TensorView() = default;

  /// Row-major, contiguous.
  TensorView(T* data, std::initializer_list<int64_t> shape) : data_(data), rank_(static_cast<int>(shape.size())) {
    if (rank_ > kMaxRank) fail(ErrorKind::internal, "[tensor_view] rank ", rank_, " is more than ", kMaxRank);
    int d = 0;
    for (int64_t n : shape) shape_[d++] = n;
    int64_t step = 1;
    for (d = rank_ - 1; d >= 0; --d) {
      stride_[d] = step;
      step *= shape_[d];
    }
  }

  /// A matrix of `rows` rows of `cols` contiguous elements, rows `row_stride` elements apart.
  static TensorView matrix(T* data, int64_t rows, int64_t cols, int64_t row_stride) {
    TensorView v(data, {rows, cols});
    v.stride_[0] = row_stride;
    return v;
  }

  /// TensorView<T> reads as TensorView<const T>.
  operator TensorView<const T>() const requires(!std::is_const_v<T>) {
    TensorView<const T> v;
    v.data_ = data_;
    v.rank_ = rank_;
    v.shape_ = shape_;
    v.stride_ = stride_;
    return v;
  }

  T* data() const { return data_; }
  int rank() const { return rank_; }
  int64_t dim(int d) const { return shape_[d]; }
  int64_t stride(int d) const { return stride_[d]; }
  int64_t rows() const { return shape_[0]; }
  int64_t cols() const { return shape_[1]; }
  explicit operator bool() const { return data_ != nullptr; }

  int64_t size() const {
    int64_t n = 1;
    for (int d = 0; d < rank_; ++d) n *= shape_[d];
    return n;
  }

  bool contiguous() const {
    int64_t step = 1;
    for (int d = rank_ - 1; d >= 0; --d) {
      if (shape_[d] != 1 && stride_[d] != step) return false;
      step *= shape_[d];
    }
    return true;
  }

  /// Element by index: one index per dimension.
  template <class... Index>
  T& operator()(Index... index) const {
    int64_t offset = 0;
    int d = 0;
    ((offset += static_cast<int64_t>(index) * stride_[d++]), ...);
    return data_[offset];
  }

  /// The sub-view at index i of the first dimension.
  TensorView operator[](int64_t i) const {
    TensorView v;
    v.data_ = data_ + i * stride_[0];
    v.rank_ = rank_ - 1;
    for (int d = 1; d < rank_; ++d) {
      v.shape_[d - 1] = shape_[d];
      v.stride_[d - 1] = stride_[d];
    }
    return v;
  }

  /// `count` entries of the first dimension, from `begin`.
  TensorView slice(int64_t begin, int64_t count) const {
    TensorView v = *this;
    v.data_ = data_ + begin * stride_[0];
    v.shape_[0] = count;
    return v;
  }

  /// Entries 0, step, 2 step, ... of the first dimension: e.g. the class tokens of images of `step` tokens.
  TensorView every(int64_t step) const {
    TensorView v = *this;
    v.shape_[0] = (shape_[0] + step - 1) / step;
    v.stride_[0] = stride_[0] * step;
    return v;
  }

  /// `count` columns of a matrix, from `begin`; the row stride stays.
  TensorView columns(int64_t begin, int64_t count) const {
    TensorView v = *this;
    v.data_ = data_ + begin * stride_[1];
    v.shape_[1] = count;
    return v;
  }

 private:
  template <class>
  friend class TensorView;

  T* data_ = nullptr;
  int rank_ = 0;
  std::array<int64_t, kMaxRank> shape_{};
  std::array<int64_t, kMaxRank> stride_{};
};

}  // namespace vit
