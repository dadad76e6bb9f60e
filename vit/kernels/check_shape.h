// Shape checks that the kernels share.
#pragma once

#include <cstdint>

#include "vit/core/tensor_view.h"

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

}  // namespace vit
