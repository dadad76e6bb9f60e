#include "datasets/tile_grid.h"

#include <opencv2/core.hpp>

#include "datasets/picture_folder.h"
#include "preprocess/image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

void check(const cv::Mat& sheet, const std::filesystem::path& picture, const TileGridOptions& options) {
  const int64_t tile = options.tile;
  if (tile < 1 || sheet.cols % tile != 0 || sheet.rows % tile != 0)
    fail(ErrorKind::usage, "[tile_grid] ", picture.string(), ": needs a tile side that divides ", sheet.cols, " x ",
         sheet.rows, " pixels, has ", tile);
  const int64_t rows = sheet.rows / tile;
  const int64_t columns = sheet.cols / tile;
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
  const cv::Mat sheet = read_image(picture).rgb;
  check(sheet, picture, options);
  PictureFolder folder(out);
  const auto side = static_cast<int>(options.tile);
  const int rows = sheet.rows / side;
  const int columns = sheet.cols / side;
  for (int row = 0; row < rows; ++row) {
    const std::string class_name = std::to_string(row / options.rows_per_class);
    for (int column = 0; column < columns; ++column)
      folder.add(column < columns - options.test_columns ? "train" : "test", class_name,
                 image_from_rgb(sheet(cv::Rect(column * side, row * side, side, side))));
  }
  return {rows / options.rows_per_class, folder.count("train"), folder.count("test")};
}

}  // namespace vit
