#include "train/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

/// `value` and the number so many units in its last place above.
std::pair<double, double> ulps_apart(double value, int ulps) {
  double high = value;
  for (int i = 0; i < ulps; ++i) high = std::nextafter(high, kInf);
  return {value, high};
}

Chart chart_of(const std::vector<double>& values) {
  Chart chart{.title = "title", .x_title = "epoch", .lines = {{"line", cv::Scalar(180, 119, 31), {}}}};
  for (std::size_t i = 0; i < values.size(); ++i)
    chart.lines.front().points.emplace_back(static_cast<double>(i + 1), values[i]);
  chart.highlight = static_cast<int>(values.size()) - 1;
  return chart;
}

TEST(AxisTicks, AreRoundNumbersInside) {
  EXPECT_EQ(axis_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.2 * 3, 0.8, 1}));
  EXPECT_EQ(axis_ticks(-7, 12, 4), (std::vector<double>{-5, 0, 5, 10}));
  EXPECT_EQ(axis_ticks(1, 3, 8).size(), 5u);
  EXPECT_EQ(axis_ticks(1e6, 3e6, 2), (std::vector<double>{1e6, 2e6, 3e6}));
}

TEST(AxisTicks, EndForAnyNumbers) {
  std::vector<std::pair<double, double>> ranges;
  const std::vector<double> values{0,   kTiny, -kTiny, 1e-310, 2e-308, 1e-12, 0.1,   1,    -1,    3,   2.303,
                                   1e6, 1e15,  1e16,   9e15,   1e300,  kMax,  -kMax, kInf, -kInf, kNan};
  for (double low : values) {
    for (double high : values) ranges.emplace_back(low, high);
    for (int ulps = 1; ulps < 200; ulps = ulps * 2 + 1) ranges.push_back(ulps_apart(low, ulps));
  }
  for (const auto& [low, high] : ranges) {
    for (int wanted : {-1, 0, 1, 6, 8}) {
      const std::vector<double> ticks = axis_ticks(low, high, wanted);
      ASSERT_LE(static_cast<int>(ticks.size()), std::max(wanted, 0) + 2) << low << " to " << high;
      for (std::size_t i = 1; i < ticks.size(); ++i) ASSERT_LT(ticks[i - 1], ticks[i]) << low << " to " << high;
      const double near = 1e-3 * (high - low);
      for (double tick : ticks) ASSERT_TRUE(tick >= low - near && tick <= high + near) << low << " to " << high;
    }
  }
}

TEST(DrawCharts, AnyValuesAreDrawn) {
  for (double value : {0.0, 1.0, -1.0, 2.302585, 1e-300, 1e15, 1e16, 1e299, kTiny, kMax}) {
    for (int ulps : {0, 1, 2, 1000}) {
      const auto [low, high] = ulps_apart(value, ulps);
      for (bool from_zero : {false, true}) {
        Chart chart = chart_of({low, high, low});
        chart.from_zero = from_zero;
        const cv::Mat picture = draw_charts({chart});
        ASSERT_EQ(picture.cols, 560) << value << ' ' << ulps;
      }
    }
  }
}

TEST(DrawCharts, LeaveOutWhatIsNoNumber) {
  const auto same = [](const cv::Mat& a, const cv::Mat& b) {
    return std::equal(a.datastart, a.dataend, b.datastart, b.dataend);
  };
  Chart plain = chart_of({3, 2, 1});
  plain.highlight = -1;
  Chart other = plain;
  for (double odd : {kNan, kInf, -kInf, kMax, -kMax}) other.lines.front().points.emplace_back(2, odd);
  EXPECT_TRUE(same(draw_charts({plain}), draw_charts({other})));
  for (double odd : {kNan, kInf, -kMax}) {
    EXPECT_NO_THROW(draw_charts({chart_of({odd})}));
    EXPECT_NO_THROW(draw_charts({chart_of({odd, odd, -odd})}));
  }
  EXPECT_NO_THROW(draw_charts({chart_of({})}));
}

}  // namespace
}  // namespace vit
