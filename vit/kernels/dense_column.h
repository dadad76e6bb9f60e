// Columns of wider matrices, which the product library must not see.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vit/core/buffer.h"
#include "vit/core/matrix.h"

namespace vit {

/// One column of a wider matrix: oneDNN 3 reads and writes it as if its elements lay side by side.
inline bool has_gaps(ConstMatrix m) { return m.cols() == 1 && m.rows() > 1 && m.stride() > 1; }

/// Such a column's elements, side by side.
class DenseColumn {
 public:
  explicit DenseColumn(ConstMatrix m) : type_(m.type()), rows_(m.rows()), bytes_(rows_ * dtype_bytes(type_)) {
    for (int64_t r = 0; r < rows_; ++r) std::memcpy(at(r), m.slice(r, 1).data(), size());
  }
  Matrix view() { return {bytes_.data(), type_, rows_, 1, 1}; }
  void write_to(Matrix m) {
    for (int64_t r = 0; r < rows_; ++r) std::memcpy(m.slice(r, 1).data(), at(r), size());
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(dtype_bytes(type_)); }
  std::byte* at(int64_t r) { return bytes_.data() + r * dtype_bytes(type_); }

  DType type_;
  int64_t rows_;
  AlignedBuffer<std::byte> bytes_;
};

}  // namespace vit
