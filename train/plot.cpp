#include "train/plot.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <opencv2/imgproc.hpp>

#include "infer/picture.h"

namespace vit {
namespace {

// Drawn at twice the size and then averaged down: smoother letters and lines than OpenCV's own.
constexpr int kOversampling = 2;
constexpr int kWidth = 560 * kOversampling;
constexpr int kHeight = 400 * kOversampling;
constexpr int kLeft = 68 * kOversampling;
constexpr int kRight = 22 * kOversampling;
constexpr int kTop = 48 * kOversampling;
constexpr int kBottom = 54 * kOversampling;
constexpr double kText = 9 * kOversampling;
constexpr double kTitle = 11 * kOversampling;

const cv::Scalar kGrid(232, 232, 232);
const cv::Scalar kFrame(150, 150, 150);
const cv::Scalar kLabel(95, 95, 95);

struct Range {
  double low = 0;
  double high = 1;
  double span() const { return high - low; }
};

/// Has a place on the paper; beyond these the width of an axis is no longer a number.
bool drawable(const cv::Point2d& point) {
  constexpr double kLargest = 1e300;
  return std::abs(point.x) <= kLargest && std::abs(point.y) <= kLargest;
}

Range range_of(const Chart& chart, double cv::Point2d::*axis) {
  Range range{INFINITY, -INFINITY};
  for (const Line& line : chart.lines) {
    for (const cv::Point2d& point : line.points) {
      if (!drawable(point)) continue;
      range.low = std::min(range.low, point.*axis);
      range.high = std::max(range.high, point.*axis);
    }
  }
  return range.low <= range.high ? range : Range{};
}

/// A value below it is drawn as zero is: steps of such sizes are no normal numbers.
constexpr double kSmallest = 1e-290;

/// Room above and below, so that no line runs along the frame.
Range padded(Range range, bool from_zero) {
  if (from_zero) range.low = std::min(0.0, range.low);
  // Differences that no label could show are none.
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  if (!(range.span() > 1e-9 * largest)) {
    const double half = largest < kSmallest ? 1 : largest * 0.1;
    range = from_zero ? Range{0, range.high + half} : Range{range.low - half, range.high + half};
  }
  const double pad = 0.06 * range.span();
  return {from_zero && range.low == 0 ? 0 : range.low - pad, range.high + pad};
}

std::string tick_text(double value, double step) {
  std::array<char, 32> text{};
  const double shown = std::abs(value) < 1e-9 * step ? 0 : value;  // no "-0"
  const bool scientific = step < 1e-5 || std::abs(value) >= 1e6;
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 5);
  const auto end = scientific ? std::to_chars(text.begin(), text.end(), shown, std::chars_format::scientific, 1)
                              : std::to_chars(text.begin(), text.end(), shown, std::chars_format::fixed, decimals);
  return {text.data(), end.ptr};
}

/// The drawing area of one chart and the numbers it shows.
struct Frame {
  cv::Rect area;
  Range x;
  Range y;

  cv::Point place(const cv::Point2d& p) const {
    return {area.x + static_cast<int>(std::lround((p.x - x.low) / x.span() * area.width)),
            area.y + area.height - static_cast<int>(std::lround((p.y - y.low) / y.span() * area.height))};
  }
};

double step_of(const std::vector<double>& ticks) { return ticks.size() > 1 ? ticks[1] - ticks[0] : 1; }

void draw_axes(cv::Mat& picture, const Frame& frame, const Chart& chart) {
  const cv::Rect& area = frame.area;
  const std::vector<double> rows = axis_ticks(frame.y.low, frame.y.high, 6);
  for (double tick : rows) {
    const int y = frame.place({frame.x.low, tick}).y;
    cv::line(picture, {area.x, y}, {area.x + area.width, y}, kGrid, kOversampling, cv::LINE_AA);
    const std::string text = tick_text(tick, step_of(rows));
    draw_text(picture, text, {area.x - 8 * kOversampling - text_width(text, kText), y + static_cast<int>(kText / 2)},
              kText, kLabel);
  }
  const Range shown = range_of(chart, &cv::Point2d::x);
  std::vector<double> columns = axis_ticks(shown.low, shown.high, 8);
  std::erase_if(columns, [](double tick) { return tick != std::floor(tick); });  // epochs are whole
  if (columns.empty()) columns = {shown.low};
  for (double tick : columns) {
    const int x = frame.place({tick, frame.y.low}).x;
    cv::line(picture, {x, area.y}, {x, area.y + area.height}, kGrid, kOversampling, cv::LINE_AA);
    const std::string text = tick_text(tick, 1);
    draw_text(picture, text, {x - text_width(text, kText) / 2, area.y + area.height + 18 * kOversampling}, kText,
              kLabel);
  }
  cv::rectangle(picture, area, kFrame, kOversampling, cv::LINE_AA);
  draw_text(picture, chart.title, {area.x, area.y - 16 * kOversampling}, kTitle, kInk);
  draw_text(picture, chart.x_title,
            {area.x + (area.width - text_width(chart.x_title, kText)) / 2, area.y + area.height + 40 * kOversampling},
            kText, kLabel);
}

void draw_line(cv::Mat& picture, const Frame& frame, const Line& line) {
  std::vector<cv::Point> places;
  for (const cv::Point2d& point : line.points)
    if (drawable(point)) places.push_back(frame.place(point));
  cv::polylines(picture, places, false, line.color, 2 * kOversampling, cv::LINE_AA);
  constexpr std::size_t kMostDots = 30;
  if (places.size() > kMostDots) return;
  for (const cv::Point& place : places)
    cv::circle(picture, place, 3 * kOversampling, line.color, cv::FILLED, cv::LINE_AA);
}

void draw_ring(cv::Mat& picture, const Frame& frame, const Chart& chart) {
  if (chart.highlight < 0 || chart.lines.empty()) return;
  const Line& line = chart.lines.front();
  const cv::Point2d& point = line.points.at(static_cast<std::size_t>(chart.highlight));
  if (!drawable(point)) return;
  const cv::Point place = frame.place(point);
  cv::circle(picture, place, 6 * kOversampling, kPaper, cv::FILLED, cv::LINE_AA);
  cv::circle(picture, place, 6 * kOversampling, line.color, 2 * kOversampling, cv::LINE_AA);
  cv::circle(picture, place, 3 * kOversampling, line.color, cv::FILLED, cv::LINE_AA);
}

void draw_legend(cv::Mat& picture, const Frame& frame, const Chart& chart) {
  constexpr int kRow = 20 * kOversampling;
  constexpr int kSample = 22 * kOversampling;
  constexpr int kGap = 8 * kOversampling;
  int widest = 0;
  int rows = 0;
  for (const Line& line : chart.lines) {
    if (line.name.empty()) continue;
    widest = std::max(widest, text_width(line.name, kText));
    ++rows;
  }
  if (rows == 0) return;
  const cv::Size size(widest + kSample + 3 * kGap, rows * kRow + kGap);
  const int x = frame.area.x + frame.area.width - size.width - kGap;
  const int y = chart.legend_below ? frame.area.y + frame.area.height - size.height - kGap : frame.area.y + kGap;
  cv::rectangle(picture, cv::Rect({x, y}, size), kPaper, cv::FILLED);
  cv::rectangle(picture, cv::Rect({x, y}, size), kGrid, kOversampling, cv::LINE_AA);
  int row = y + kGap / 2 + kRow / 2;
  for (const Line& line : chart.lines) {
    if (line.name.empty()) continue;
    cv::line(picture, {x + kGap, row}, {x + kGap + kSample, row}, line.color, 2 * kOversampling, cv::LINE_AA);
    draw_text(picture, line.name, {x + 2 * kGap + kSample, row + static_cast<int>(kText / 2)}, kText, kInk);
    row += kRow;
  }
}

void draw_chart(cv::Mat picture, const Chart& chart) {
  Frame frame;
  frame.area = cv::Rect(kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
  frame.x = padded(range_of(chart, &cv::Point2d::x), false);
  frame.y = padded(range_of(chart, &cv::Point2d::y), chart.from_zero);
  draw_axes(picture, frame, chart);
  for (const Line& line : chart.lines) draw_line(picture, frame, line);
  draw_ring(picture, frame, chart);
  draw_legend(picture, frame, chart);
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int wanted) {
  if (!(high > low) || wanted < 1) return {};
  const double rough = high / wanted - low / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  }
  if (!std::isnormal(step)) return {};
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  // So many steps from zero, one more makes no other number.
  constexpr double kMostSteps = 1e12;
  if (!(std::abs(first) < kMostSteps && std::abs(last) < kMostSteps)) return {};
  std::vector<double> ticks;
  for (auto i = static_cast<int64_t>(first); i <= static_cast<int64_t>(last); ++i)
    ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

cv::Mat draw_charts(const std::vector<Chart>& charts) {
  cv::Mat large(kHeight, kWidth * static_cast<int>(charts.size()), CV_8UC3, kPaper);
  for (std::size_t i = 0; i < charts.size(); ++i) {
    draw_chart(large(cv::Rect(static_cast<int>(i) * kWidth, 0, kWidth, kHeight)), charts[i]);
  }
  cv::Mat picture;
  cv::resize(large, picture, {}, 1.0 / kOversampling, 1.0 / kOversampling, cv::INTER_AREA);
  return picture;
}

}  // namespace vit
