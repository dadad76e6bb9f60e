#include "train/curves.h"

#include <algorithm>
#include <optional>
#include <string>

#include "infer/picture.h"
#include "infer/text_format.h"
#include "train/plot.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

const cv::Scalar kBlue(180, 119, 31);
const cv::Scalar kOrange(14, 127, 255);
const cv::Scalar kGreen(44, 160, 44);

/// One point an epoch that has the value.
template <class Value>
Line line_of(const char* name, const cv::Scalar& color, const std::vector<HistoryRow>& rows, Value value) {
  Line line{name, color, {}};
  for (const HistoryRow& row : rows) {
    const std::optional<double> y = value(row);
    if (y) line.points.emplace_back(static_cast<double>(row.epoch), *y);
  }
  return line;
}

Chart loss_chart(const std::vector<HistoryRow>& rows) {
  Chart chart{.title = "Loss", .x_title = "epoch", .lines = {}};
  chart.lines.push_back(line_of("train", kBlue, rows, [](const HistoryRow& r) { return r.train_loss; }));
  Line val = line_of("val", kOrange, rows, [](const HistoryRow& r) { return r.val_loss; });
  if (!val.points.empty()) chart.lines.push_back(std::move(val));
  return chart;
}

Chart accuracy_chart(const std::vector<HistoryRow>& rows) {
  const auto percent = [](const HistoryRow& r) { return r.val_top1 ? std::optional(*r.val_top1 * 100) : std::nullopt; };
  Chart chart{.title = "Accuracy (top-1, %)", .x_title = "epoch", .lines = {line_of("val", kOrange, rows, percent)}};
  chart.legend_below = true;
  std::vector<cv::Point2d>& points = chart.lines.front().points;
  if (points.empty()) return chart;
  const auto best = std::max_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.y < b.y; });
  chart.highlight = static_cast<int>(best - points.begin());
  chart.lines.front().name = concat("val, best ", fixed(best->y, 2), " in epoch ", fixed(best->x, 0));
  return chart;
}

Chart rate_chart(const std::vector<HistoryRow>& rows) {
  const auto rate = [](const HistoryRow& r) { return std::optional(static_cast<double>(r.lr)); };
  return {.title = "Learning rate at the end of the epoch",
          .x_title = "epoch",
          .lines = {line_of("", kGreen, rows, rate)},
          .from_zero = true};
}

}  // namespace

void write_curves(const std::filesystem::path& path, const std::vector<HistoryRow>& rows) {
  if (rows.empty()) return;
  std::vector<Chart> charts{loss_chart(rows)};
  const bool validated =
      std::any_of(rows.begin(), rows.end(), [](const HistoryRow& r) { return r.val_top1.has_value(); });
  if (validated) charts.push_back(accuracy_chart(rows));
  charts.push_back(rate_chart(rows));
  const std::vector<unsigned char> png = encode_png(draw_charts(charts));
  write_file_atomically(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace vit
