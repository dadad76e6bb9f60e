// Memory brought into the cache before it is needed.
#pragma once

#include <cstdint>

#include "vit/core/matrix.h"

namespace vit {

/// Rows that the next call of a kernel reads or writes, for this call to bring into the second cache a few at a time
/// between its own work: all at once they would hold that up, and rows that are short pieces of long ones show the
/// processor no pattern of its own to follow.
class LookAhead {
 public:
  /// At most kMost matrices; the others, and null ones, are left to the processor.
  void add(ConstMatrix m) {
    if (!m || count_ == kMost) return;
    const int64_t element = dtype_bytes(m.type());
    parts_[count_++] = {static_cast<const char*>(m.data()), m.stride() * element, m.rows(), m.cols() * element};
  }

  /// The next `rows` rows of each matrix. Inlined, as code of all instruction sets calls it.
  inline __attribute__((always_inline)) void step(int64_t rows) {
    constexpr int64_t kLine = 64;
    for (int p = 0; p < count_; ++p) {
      const Part& part = parts_[p];
      for (int64_t r = row_; r < row_ + rows && r < part.rows; ++r)
        for (int64_t byte = 0; byte < part.bytes; byte += kLine)
          __builtin_prefetch(part.data + r * part.stride + byte, 0, 2);
    }
    row_ += rows;
  }

 private:
  static constexpr int kMost = 8;
  struct Part {
    const char* data;
    int64_t stride, rows, bytes;
  };

  Part parts_[kMost];
  int count_ = 0;
  int64_t row_ = 0;
};

}  // namespace vit
