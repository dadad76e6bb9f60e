// Cuts one picture of equal tiles (a sheet of digits, letters, sprites) into an image folder.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vit {

struct TileGridOptions {
  int64_t tile = 0;            // side of a tile in pixels; must divide both sides of the picture
  int64_t rows_per_class = 1;  // rows of tiles that show one class; class 0 is at the top
  int64_t test_columns = 0;    // the last columns of tiles become the split `test`
};

struct TileGridSummary {
  int64_t classes = 0;
  int64_t train = 0;
  int64_t test = 0;
};

/// Writes OUT/train/<class>/NNNN.png and OUT/test/..., tiles row by row. Throws Error (usage) when the sizes do not
/// fit, or when `out` exists.
TileGridSummary cut_tile_grid(const std::filesystem::path& picture, const std::filesystem::path& out,
                              const TileGridOptions& options);

}  // namespace vit
