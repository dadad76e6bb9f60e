// Shape checks that the kernels share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "vit/core/matrix.h"

namespace vit {

/// Throws Error (internal) unless `view` is a matrix [rows, cols] with contiguous elements in a row.
template <class T>
void check_matrix(const char* what, TensorView<T> view, int64_t rows, int64_t cols) {
  if (view.rank() != 2 || view.rows() != rows || view.cols() != cols)
    fail(ErrorKind::internal, "[", what, "] needs [", rows, ", ", cols, "], has [", view.rows(), ", ", view.cols(),
         "] of rank ", view.rank());
  if (cols > 1 && view.stride(1) != 1)
    fail(ErrorKind::internal, "[", what, "] needs contiguous rows, has element stride ", view.stride(1));
}

/// Throws Error (internal) unless `m` is [rows, cols] of one of the types.
inline void check_matrix(const char* what, ConstMatrix m, int64_t rows, int64_t cols,
                         std::initializer_list<DType> types) {
  if (m.rows() != rows || m.cols() != cols)
    fail(ErrorKind::internal, "[", what, "] needs [", rows, ", ", cols, "], has [", m.rows(), ", ", m.cols(), "]");
  if (std::find(types.begin(), types.end(), m.type()) == types.end())
    fail(ErrorKind::internal, "[", what, "] has a type that it must not have, ", dtype_name(m.type()));
}

}  // namespace vit
