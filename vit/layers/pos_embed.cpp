#include "vit/layers/pos_embed.h"

#include <cmath>

namespace vit {

void sincos_1d(TensorView<float> table) {
  const int64_t width = table.cols();
  for (int64_t t = 0; t < table.rows(); ++t)
    for (int64_t i = 0; i < width / 2; ++i) {
      const double angle =
          static_cast<double>(t) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(width));
      table(t, 2 * i) = static_cast<float>(std::sin(angle));
      table(t, 2 * i + 1) = static_cast<float>(std::cos(angle));
    }
}

void sincos_2d(int64_t rows, int64_t cols, TensorView<float> table) {
  const int64_t quarter = table.cols() / 4;
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < cols; ++x) {
      const TensorView<float> row = table[y * cols + x];
      for (int64_t i = 0; i < quarter; ++i) {
        const double omega = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
        row(i) = static_cast<float>(std::sin(static_cast<double>(x) * omega));
        row(quarter + i) = static_cast<float>(std::cos(static_cast<double>(x) * omega));
        row(2 * quarter + i) = static_cast<float>(std::sin(static_cast<double>(y) * omega));
        row(3 * quarter + i) = static_cast<float>(std::cos(static_cast<double>(y) * omega));
      }
    }
}

}  // namespace vit
