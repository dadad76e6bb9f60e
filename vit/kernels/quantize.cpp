#include "vit/kernels/quantize.h"

#include <cmath>

#include "vit/kernels/elementwise.h"

namespace vit {

QuantizedRows quantize_rows(TensorView<const float> weight) {
  QuantizedRows rows{AlignedBuffer<int8_t>(weight.size()), std::vector<float>(static_cast<std::size_t>(weight.rows()))};
  const TensorView<int8_t> to(rows.values.data(), {weight.rows(), weight.cols()});
  for (int64_t o = 0; o < weight.rows(); ++o) {
    const float top = max_abs(weight.slice(o, 1));
    const float scale = std::isnormal(top / 127) ? top / 127 : 1;  // its reciprocal must be finite
    convert(weight.slice(o, 1), to.slice(o, 1), 1 / scale);
    rows.scales[static_cast<std::size_t>(o)] = scale;
  }
  return rows;
}

void dequantize_rows(TensorView<const int8_t> values, std::span<const float> scales, TensorView<float> out) {
  if (values.rows() != static_cast<int64_t>(scales.size()) || values.rows() != out.rows() ||
      values.cols() != out.cols())
    fail(ErrorKind::internal, "[quantize] needs one scale a row and equal shapes, has ", values.rows(), " x ",
         values.cols(), ", ", scales.size(), " scales, ", out.rows(), " x ", out.cols());
  for (int64_t o = 0; o < values.rows(); ++o)
    for (int64_t i = 0; i < values.cols(); ++i)
      out[o].data()[i] = static_cast<float>(values[o].data()[i]) * scales[static_cast<std::size_t>(o)];
}

}  // namespace vit
