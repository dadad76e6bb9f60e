// What stands before the numbers of an array in a .npy file: numpy.lib.format, versions 1 to 3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/function_ref.h"
#include "vit/io/tensor_values.h"

namespace vit {

struct NpyHeader {
  std::string type;  // "<f4"
  TensorNumber number = TensorNumber::other;
  int64_t element_bytes = 0;
  bool fortran_order = false;
  std::vector<int64_t> shape;
  int64_t count = 0;
  int64_t bytes = 0;  // of the header itself: the data follows
};

/// `next(out)` gives the file's bytes from its first on, all of `out`, and throws at the end. Throws Error (data) that
/// begins with `what` for anything but the dictionary that NumPy writes.
NpyHeader read_npy_header(FunctionRef<void(std::span<uint8_t>)> next, std::string_view what);

}  // namespace vit
