#include "infer/confusion_picture.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "infer/picture.h"
#include "infer/text_format.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int kMargin = 16;
constexpr int kAxis = 26;     // the words "true" and "predicted"
constexpr int kTarget = 900;  // pixels of the matrix for many classes
const cv::Scalar kLine(225, 225, 225);
const cv::Scalar kRight(150, 90, 20);  // BGR: blue for right answers
const cv::Scalar kWrong(40, 80, 215);  // and red for wrong ones

struct Layout {
  int classes = 0;
  int cell = 0;
  double label_size = 0;  // of names; 0 = no room for them
  double count_size = 0;
  int names = 0;  // pixels that the longest name takes
  int left = 0;
  int top = 0;
  int side = 0;
};

Layout plan(const std::vector<int64_t>& confusion, const std::vector<std::string>& names) {
  constexpr int kLongest = 170;  // pixels; longer names are cut
  Layout layout;
  layout.classes = static_cast<int>(names.size());
  layout.cell = std::clamp(kTarget / layout.classes, 1, 64);
  if (layout.classes <= 100) layout.cell = std::max(layout.cell, 22);  // room for the counts
  layout.label_size = layout.cell >= 10 ? std::min(11.0, layout.cell * 0.55) : 0;
  const std::string widest = std::to_string(*std::max_element(confusion.begin(), confusion.end()));
  const double by_width = 11.0 * (layout.cell - 4) / std::max(1, text_width(widest, 11));
  layout.count_size = std::min({11.0, layout.cell * 0.45, by_width});
  if (layout.count_size < 5) layout.count_size = 0;
  if (layout.label_size > 0) {
    for (const std::string& name : names)
      layout.names = std::max(layout.names, text_width(fit_text(name, layout.label_size, kLongest), layout.label_size));
  }
  layout.left = kMargin + kAxis + layout.names + 8;
  layout.top = layout.left;
  layout.side = layout.classes * layout.cell;
  return layout;
}

cv::Scalar shade(double share, bool right) {
  const cv::Scalar full = right ? kRight : kWrong;
  const double strength = share > 0 ? 0.08 + 0.92 * std::sqrt(share) : 0;  // single mistakes stay visible
  return kPaper * (1 - strength) + full * strength;
}

void draw_cells(cv::Mat& sheet, const Layout& layout, const std::vector<int64_t>& confusion) {
  const auto classes = static_cast<std::size_t>(layout.classes);
  for (std::size_t row = 0; row < classes; ++row) {
    const int64_t* counts = confusion.data() + row * classes;
    int64_t total = 0;
    for (std::size_t c = 0; c < classes; ++c) total += counts[c];
    for (std::size_t col = 0; col < classes; ++col) {
      if (counts[col] == 0) continue;
      const double share = static_cast<double>(counts[col]) / static_cast<double>(total);
      const cv::Rect cell(layout.left + static_cast<int>(col) * layout.cell,
                          layout.top + static_cast<int>(row) * layout.cell, layout.cell, layout.cell);
      cv::rectangle(sheet, cell, shade(share, row == col), cv::FILLED);
      if (layout.count_size == 0) continue;
      const std::string text = std::to_string(counts[col]);
      const cv::Point at(cell.x + (cell.width - text_width(text, layout.count_size)) / 2,
                         cell.y + (cell.height + static_cast<int>(layout.count_size)) / 2);
      draw_text(sheet, text, at, layout.count_size, share > 0.3 ? kPaper : kInk);
    }
  }
}

void draw_grid(cv::Mat& sheet, const Layout& layout) {
  const int step = layout.cell >= 8 ? 1 : std::max(1, layout.classes / 10);
  for (int i = 0; i <= layout.classes; i += step) {
    const int at = i * layout.cell;
    cv::line(sheet, {layout.left, layout.top + at}, {layout.left + layout.side, layout.top + at}, kLine);
    cv::line(sheet, {layout.left + at, layout.top}, {layout.left + at, layout.top + layout.side}, kLine);
  }
  cv::rectangle(sheet, cv::Rect(layout.left, layout.top, layout.side + 1, layout.side + 1), kInk);
}

/// `text` turned by a quarter, reading upwards, its end at the bottom left of `box`.
void draw_upwards(cv::Mat& sheet, const std::string& text, const cv::Rect& box, double size) {
  cv::Mat line(box.width, box.height, CV_8UC3, kPaper);
  draw_text(line, text, {0, (box.width + static_cast<int>(size)) / 2}, size, kInk);
  cv::Mat turned;
  cv::rotate(line, turned, cv::ROTATE_90_COUNTERCLOCKWISE);
  turned.copyTo(sheet(box));
}

void draw_names(cv::Mat& sheet, const Layout& layout, const std::vector<std::string>& names) {
  if (layout.names == 0) return;
  for (int i = 0; i < layout.classes; ++i) {
    const std::string name = fit_text(names[static_cast<std::size_t>(i)], layout.label_size, layout.names);
    const int middle = layout.top + i * layout.cell + (layout.cell + static_cast<int>(layout.label_size)) / 2;
    draw_text(sheet, name, {layout.left - 8 - text_width(name, layout.label_size), middle}, layout.label_size, kInk);
    draw_upwards(sheet, name,
                 cv::Rect(layout.left + i * layout.cell, layout.top - 8 - layout.names, layout.cell, layout.names),
                 layout.label_size);
  }
}

void draw_axes(cv::Mat& sheet, const Layout& layout) {
  constexpr double kSize = 11;
  const std::string across = "predicted";
  draw_text(sheet, across, {layout.left + (layout.side - text_width(across, kSize)) / 2, kMargin + 12}, kSize, kInk);
  const std::string down = "true";
  const int length = text_width(down, kSize);
  draw_upwards(sheet, down, cv::Rect(kMargin - 4, layout.top + (layout.side - length) / 2, kAxis - 6, length + 2),
               kSize);
}

}  // namespace

std::vector<unsigned char> draw_confusion(const std::vector<int64_t>& confusion,
                                          const std::vector<std::string>& class_names) {
  const std::size_t classes = class_names.size();
  if (classes == 0 || static_cast<int64_t>(classes) > kMaxConfusionPicture || confusion.size() != classes * classes)
    fail(ErrorKind::usage, "[confusion] picture: needs 1..", kMaxConfusionPicture,
         " classes and a square of counts, has ", classes, " and ", confusion.size());
  const Layout layout = plan(confusion, class_names);
  cv::Mat sheet(layout.top + layout.side + kMargin, layout.left + layout.side + kMargin, CV_8UC3, kPaper);
  draw_cells(sheet, layout, confusion);
  draw_grid(sheet, layout);
  draw_names(sheet, layout, class_names);
  draw_axes(sheet, layout);
  return encode_png(sheet);
}

}  // namespace vit
