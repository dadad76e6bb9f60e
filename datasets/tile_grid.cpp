#include "datasets/tile_grid.h"

#include <algorithm>

#include "datasets/picture_folder.h"
#include "vit/core/error.h"

namespace vit {
namespace {

Image cut(const Image& image, int64_t x, int64_t y, int64_t side) {
  Image tile{side, side, std::vector<uint8_t>(static_cast<size_t>(side * side * 3))};
  for (int64_t row = 0; row < side; ++row)
    std::copy_n(image.pixels.begin() + ((y + row) * image.width + x) * 3, side * 3,
                tile.pixels.begin() + row * side * 3);
  return tile;
}

void check(const Image& image, const std::filesystem::path& picture, const TileGridOptions& options) {
  const int64_t tile = options.tile;
  if (tile < 1 || image.width % tile != 0 || image.height % tile != 0)
    fail(ErrorKind::usage, "[tile_grid] ", picture.string(), ": needs a tile side that divides ", image.width, " x ",
         image.height, " pixels, has ", tile);
  const int64_t rows = image.height / tile;
  const int64_t columns = image.width / tile;
  if (options.rows_per_class < 1 || rows % options.rows_per_class != 0)
    fail(ErrorKind::usage, "[tile_grid] ", picture.string(), ": needs rows per class that divide ", rows,
         " rows of tiles, has ", options.rows_per_class);
  if (options.test_columns < 0 || options.test_columns >= columns)
    fail(ErrorKind::usage, "[tile_grid] ", picture.string(), ": needs test columns from 0 to ", columns - 1, ", has ",
         options.test_columns);
}

}  // namespace

TileGridSummary cut_tile_grid(const std::filesystem::path& picture, const std::filesystem::path& out,
                              const TileGridOptions& options) {
  const Image image = read_image(picture);
  check(image, picture, options);
  PictureFolder folder(out);
  const int64_t rows = image.height / options.tile;
  const int64_t columns = image.width / options.tile;
  for (int64_t row = 0; row < rows; ++row) {
    const std::string class_name = std::to_string(row / options.rows_per_class);
    for (int64_t column = 0; column < columns; ++column)
      folder.add(column < columns - options.test_columns ? "train" : "test", class_name,
                 cut(image, column * options.tile, row * options.tile, options.tile));
  }
  return {rows / options.rows_per_class, folder.count("train"), folder.count("test")};
}

}  // namespace vit
