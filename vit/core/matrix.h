// Matrices whose element type is known at run time: the activations between layers, in fp32, bf16 or int8.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "vit/core/dtype.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// Rows of contiguous elements, `stride` elements apart; passed by value, never owns. A TensorView of rank 2 reads as
/// one. `Void` is void or const void.
template <class Void>
class BasicMatrix {
  using Byte = std::conditional_t<std::is_const_v<Void>, const std::byte, std::byte>;

 public:
  BasicMatrix() = default;
  BasicMatrix(Void* data, DType type, int64_t rows, int64_t cols, int64_t stride)
      : data_(data), type_(type), rows_(rows), cols_(cols), stride_(stride) {}

  template <class T>
  requires(std::is_const_v<Void> || !std::is_const_v<T>) BasicMatrix(TensorView<T> view)
      : type_(dtype_of<std::remove_const_t<T>>) {
    if (!view) return;
    if (view.rank() != 2 || (view.cols() > 1 && view.stride(1) != 1))
      fail(ErrorKind::internal, "[matrix] needs a matrix of contiguous rows, has rank ", view.rank());
    data_ = view.data();
    rows_ = view.rows();
    cols_ = view.cols();
    stride_ = view.stride(0);
  }
  operator BasicMatrix<const void>() const requires(!std::is_const_v<Void>) {
    return {data_, type_, rows_, cols_, stride_};
  }

  Void* data() const { return data_; }
  DType type() const { return type_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t stride() const { return stride_; }
  int64_t size() const { return rows_ * cols_; }
  bool contiguous() const { return rows_ <= 1 || stride_ == cols_; }
  explicit operator bool() const { return data_ != nullptr; }

  /// `count` rows from `begin`. Throws Error (internal) when there are not so many.
  BasicMatrix slice(int64_t begin, int64_t count) const {
    check_part("rows", begin, count, rows_);
    return {at(begin, 0), type_, count, cols_, stride_};
  }
  /// `count` columns from `begin`. Throws Error (internal) when there are not so many.
  BasicMatrix columns(int64_t begin, int64_t count) const {
    check_part("columns", begin, count, cols_);
    return {at(0, begin), type_, rows_, count, stride_};
  }

  /// Rows 0, step, 2 step, ...: e.g. the class tokens of images of `step` tokens.
  BasicMatrix every(int64_t step) const { return {data_, type_, (rows_ + step - 1) / step, cols_, stride_ * step}; }
  /// The same memory as contiguous rows of another type that is no larger.
  BasicMatrix as(DType type) const {
    if (dtype_bytes(type) > dtype_bytes(type_) || !contiguous())
      fail(ErrorKind::internal, "[matrix] of ", dtype_name(type_), " cannot hold ", dtype_name(type));
    return {data_, type, rows_, cols_, cols_};
  }

  /// The same matrix with its type at compile time (T or const T). Throws Error (internal) for another type.
  template <class T>
  TensorView<T> view() const {
    if (type_ != dtype_of<std::remove_const_t<T>>)
      fail(ErrorKind::internal, "[matrix] needs ", dtype_name(dtype_of<std::remove_const_t<T>>), ", has ",
           dtype_name(type_));
    return TensorView<T>::matrix(static_cast<T*>(data_), rows_, cols_, stride_);
  }

 private:
  static void check_part(const char* what, int64_t begin, int64_t count, int64_t size) {
    if (begin < 0 || count < 0 || begin + count > size)
      fail(ErrorKind::internal, "[matrix] has ", size, " ", what, ", not ", count, " from ", begin);
  }
  Void* at(int64_t row, int64_t col) const {
    if (data_ == nullptr) return nullptr;
    return reinterpret_cast<Byte*>(data_) + (row * stride_ + col) * dtype_bytes(type_);
  }

  Void* data_ = nullptr;
  DType type_ = DType::f32;
  int64_t rows_ = 0, cols_ = 0, stride_ = 0;
};

using Matrix = BasicMatrix<void>;
using ConstMatrix = BasicMatrix<const void>;

}  // namespace vit
