#include "train/curves.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"

namespace vit {
namespace {

std::vector<HistoryRow> rows_of(int64_t count, bool validated) {
  std::vector<HistoryRow> rows;
  for (int64_t e = 1; e <= count; ++e) {
    HistoryRow row;
    row.epoch = e;
    row.lr = 1e-3f;
    row.train_loss = 2.0 / static_cast<double>(e);
    if (validated) {
      row.val_loss = 1.0;
      row.val_top1 = 0.5;
    }
    rows.push_back(row);
  }
  return rows;
}

bool has_color(const Image& image, uint8_t r, uint8_t g, uint8_t b) {
  const std::vector<uint8_t> pixels = test::pixels_of(image);
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    if (pixels[i] == r && pixels[i + 1] == g && pixels[i + 2] == b) return true;
  }
  return false;
}

TEST(Curves, ShowTrainingValidationAndRate) {
  const test::TempDir folder;
  for (int64_t epochs : {1, 2, 300}) {
    write_curves(folder / "curves.png", rows_of(epochs, true));
    const Image picture = read_image(folder / "curves.png");
    EXPECT_EQ(picture.rgb.cols, 3 * 560);
    EXPECT_TRUE(has_color(picture, 31, 119, 180)) << "train, " << epochs;
    EXPECT_TRUE(has_color(picture, 255, 127, 14)) << "val, " << epochs;
    EXPECT_TRUE(has_color(picture, 44, 160, 44)) << "rate, " << epochs;
  }
}

TEST(Curves, WithoutValidationThereIsNoAccuracy) {
  const test::TempDir folder;
  write_curves(folder / "curves.png", rows_of(4, false));
  const Image picture = read_image(folder / "curves.png");
  EXPECT_EQ(picture.rgb.cols, 2 * 560);
  EXPECT_FALSE(has_color(picture, 255, 127, 14));
}

TEST(Curves, RowsWithoutAnyLossAreDrawn) {
  const test::TempDir folder;
  std::vector<HistoryRow> rows = rows_of(2, false);
  for (HistoryRow& row : rows) row.train_loss.reset();
  EXPECT_NO_THROW(write_curves(folder / "curves.png", rows));
}

TEST(Curves, NoRowsNoFile) {
  const test::TempDir folder;
  write_curves(folder / "curves.png", {});
  EXPECT_FALSE(std::filesystem::exists(folder / "curves.png"));
}

}  // namespace
}  // namespace vit
