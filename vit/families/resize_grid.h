// Position tables for grids of other sides, as the libraries of the published models resize them.
#pragma once

#include <cstdint>
#include <span>

namespace vit {

/// What torch.nn.functional.interpolate is called with.
struct GridFilter {
  enum class Kernel { bilinear, bicubic };
  Kernel kernel = Kernel::bicubic;
  bool antialias = true;       // bicubic: a = -0.5, else -0.75
  bool align_corners = false;  // first and last places stay where they are
  double scale_offset = 0;     // steps are old / (new + offset) instead of old / new (DINOv2: 0.1)
};

/// A table of `prefix` rows that stay as they are and a grid [rows, cols] that is resized.
struct GridResize {
  int64_t prefix = 0;
  int64_t rows = 0, cols = 0;
  GridFilter filter = {};
};

/// table [prefix + rows * cols, width] to out [prefix + out_rows * out_cols, width].
void resize_grid(const GridResize& grid, int64_t width, std::span<const float> table, int64_t out_rows,
                 int64_t out_cols, std::span<float> out);

}  // namespace vit
