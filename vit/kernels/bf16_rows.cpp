#include "vit/kernels/bf16_rows.h"

namespace vit {

Bf16Rows bf16_rows(const ConstMatrix& m) {
  return {static_cast<const BFloat16*>(m.data()), m.stride(), m.rows(), m.cols()};
}

}  // namespace vit
