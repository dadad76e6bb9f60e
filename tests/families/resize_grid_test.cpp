// Tables of positions for other grids, against torch (make_resize_goldens.py).
#include "vit/families/resize_grid.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/tolerance.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::is_close;
using test::Tolerance;

constexpr int64_t kWidth = 2;

TEST(ResizeGrid, ComputesWhatTorchDoes) {
  std::ifstream file(VIT_SOURCE_DIR "/tests/families/resize_golden.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  ASSERT_GE(golden["cases"].size(), 13u);
  for (const nlohmann::json& c : golden["cases"]) {
    const GridFilter filter{
        .kernel = c["kernel"] == "bicubic" ? GridFilter::Kernel::bicubic : GridFilter::Kernel::bilinear,
        .antialias = c["antialias"],
        .align_corners = c["align_corners"],
        .scale_offset = c["offset"]};
    const std::vector<float> grid = c["table"], want = c["out"];
    std::vector<float> table{7, 8};  // a row in front stays
    table.insert(table.end(), grid.begin(), grid.end());
    std::vector<float> out(want.size() + kWidth);
    resize_grid({.prefix = 1, .rows = c["rows"], .cols = c["cols"], .filter = filter}, kWidth, table, c["out_rows"],
                c["out_cols"], out);
    EXPECT_EQ(out[0], 7);
    EXPECT_EQ(out[1], 8);
    EXPECT_TRUE(is_close(std::span<const float>(out).subspan(kWidth), std::span<const float>(want), Tolerance{2e-6, 0}))
        << c["rows"] << " x " << c["cols"] << " to " << c["out_rows"] << " x " << c["out_cols"] << ' ' << c["kernel"]
        << (filter.antialias ? " antialiased" : "");
  }
}

TEST(ResizeGrid, RefusesTablesOfOtherSizes) {
  std::vector<float> table(8), out(8);
  EXPECT_THROW(resize_grid({.rows = 2, .cols = 2}, kWidth, std::span(table).first(7), 2, 2, out), Error);
  EXPECT_THROW(resize_grid({.rows = 2, .cols = 2}, kWidth, table, 2, 3, out), Error);
  EXPECT_THROW(resize_grid({.rows = 0, .cols = 0}, kWidth, std::span(table).first(0), 2, 2, out), Error);
}

}  // namespace
}  // namespace vit
