// Image folders cut from a sheet of tiles, and drawn digits.
#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <set>

#include "datasets/drawn_digits.h"
#include "datasets/image_folder.h"
#include "datasets/tile_grid.h"
#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int kTile = 3, kRows = 4, kColumns = 5;

/// Every pixel of the tile at (row, column) is (column, row, 7) in RGB.
void write_sheet(const std::filesystem::path& path) {
  cv::Mat sheet(kRows * kTile, kColumns * kTile, CV_8UC3);
  for (int y = 0; y < sheet.rows; ++y)
    for (int x = 0; x < sheet.cols; ++x)
      sheet.at<cv::Vec3b>(y, x) = {7, static_cast<uint8_t>(y / kTile), static_cast<uint8_t>(x / kTile)};
  ASSERT_TRUE(cv::imwrite(path.string(), sheet));
}

std::string bytes_of(const Image& image) {
  const std::vector<uint8_t> pixels = test::pixels_of(image);
  return {pixels.begin(), pixels.end()};
}

/// (column, row) of the tile that a picture was cut from; every pixel has to agree.
std::pair<int, int> tile_of(const Image& image) {
  EXPECT_EQ(image.rgb.cols, kTile);
  EXPECT_EQ(image.rgb.rows, kTile);
  const std::vector<uint8_t> pixels = test::pixels_of(image);
  for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_EQ(pixels[i], i % 3 == 2 ? 7 : pixels[i % 3]) << i;
  return {pixels[0], pixels[1]};
}

TEST(TileGrid, CutsRowsIntoClassesAndTheLastColumnsIntoTest) {
  const test::TempDir dir;
  write_sheet(dir / "sheet.png");
  const TileGridSummary summary =
      cut_tile_grid(dir / "sheet.png", dir / "out", {.tile = kTile, .rows_per_class = 2, .test_columns = 2});
  EXPECT_EQ(summary.classes, 2);
  EXPECT_EQ(summary.train, 12);
  EXPECT_EQ(summary.test, 8);

  const auto data = open_image_folder(dir / "out");
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"0", "1"}));
  for (const char* name : {"train", "test"}) {
    const bool test = std::string(name) == "test";
    std::vector<std::pair<int, int>> want;
    for (int row = 0; row < kRows; ++row)
      for (int column = test ? 3 : 0; column < (test ? 5 : 3); ++column) want.emplace_back(column, row);
    const auto split = data->split(name);
    ASSERT_EQ(split->size(), static_cast<int64_t>(want.size()));
    for (int64_t i = 0; i < split->size(); ++i) {
      EXPECT_EQ(tile_of(split->image(i)), want[static_cast<std::size_t>(i)]) << name << ' ' << i;
      EXPECT_EQ(split->label(i), want[static_cast<std::size_t>(i)].second / 2) << name << ' ' << i;
    }
  }
}

TEST(TileGrid, SizesThatDoNotFitAreUsageErrors) {
  const test::TempDir dir;
  write_sheet(dir / "sheet.png");
  std::filesystem::create_directory(dir / "there");
  const auto kind_of = [&](const char* out, const TileGridOptions& options) {
    try {
      cut_tile_grid(dir / "sheet.png", dir / out, options);
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind_of("a", {.tile = 4}), ErrorKind::usage);
  EXPECT_EQ(kind_of("b", {.tile = 0}), ErrorKind::usage);
  EXPECT_EQ(kind_of("c", {.tile = kTile, .rows_per_class = 3}), ErrorKind::usage);
  EXPECT_EQ(kind_of("d", {.tile = kTile, .test_columns = kColumns}), ErrorKind::usage);
  EXPECT_EQ(kind_of("there", {.tile = kTile}), ErrorKind::usage);
}

TEST(DrawnDigits, EachPictureDependsOnSeedDigitAndIndexAlone) {
  const DrawnDigitsOptions options;
  std::set<std::string> pictures;
  for (uint64_t seed : {0, 1})
    for (int64_t digit = 0; digit < 10; ++digit)
      for (int64_t index : {0, 1}) {
        DrawnDigitsOptions o = options;
        o.seed = seed;
        const Image image = draw_digit(digit, index, o);
        const std::vector<uint8_t> pixels = test::pixels_of(image);
        EXPECT_EQ(image.rgb.cols, 20);
        EXPECT_EQ(pixels.size(), 1200u);
        EXPECT_EQ(pixels, test::pixels_of(draw_digit(digit, index, o)));
        // A bright figure on black.
        EXPECT_GT(*std::max_element(pixels.begin(), pixels.end()), 150);
        EXPECT_LT(pixels.front(), 60);
        pictures.insert(bytes_of(image));
      }
  EXPECT_EQ(pictures.size(), 40u);
}

TEST(DrawnDigits, TrainAndTestShareNoPicture) {
  const test::TempDir dir;
  draw_digits(dir / "out", {.train = 3, .test = 2, .size = 16, .seed = 4});
  const auto data = open_image_folder(dir / "out");
  EXPECT_EQ(data->class_names().size(), 10u);
  std::set<std::string> pictures;
  for (const auto& [name, count] : {std::pair{"train", 30}, std::pair{"test", 20}}) {
    const auto split = data->split(name);
    ASSERT_EQ(split->size(), count);
    for (int64_t i = 0; i < count; ++i) pictures.insert(bytes_of(split->image(i)));
  }
  EXPECT_EQ(pictures.size(), 50u);
}

}  // namespace
}  // namespace vit
