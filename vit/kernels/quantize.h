// Weights as int8: symmetric, with a scale for each row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// Rows of a matrix [O, I]: element = value * scale of its row, values -127..127.
struct QuantizedRows {
  AlignedBuffer<int8_t> values;  // [O, I]
  std::vector<float> scales;     // [O]
};

/// The largest |element| of each row becomes 127, the others are rounded to nearest even; a row of zeros has scale 1.
QuantizedRows quantize_rows(TensorView<const float> weight);

/// out [O, I] from values [O, I] and scales [O]; quantize_rows of it gives the same values back.
void dequantize_rows(TensorView<const int8_t> values, std::span<const float> scales, TensorView<float> out);

}  // namespace vit
