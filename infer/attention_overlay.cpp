#include "infer/attention_overlay.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "infer/picture.h"
#include "infer/text_format.h"
#include "preprocess/image.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

constexpr int kLeastSide = 224;
constexpr int kMargin = 12;
constexpr int kTitle = 34;
constexpr int kCaption = 24;
constexpr double kTitleSize = 13;
constexpr double kCaptionSize = 9;
constexpr double kHeat = 0.55;  // weight of the heat map where attention is highest

/// Whole multiples keep the pixels of small pictures square and sharp.
cv::Mat enlarge(const cv::Mat& view) {
  const int factor = (kLeastSide + view.cols - 1) / view.cols;
  cv::Mat large;
  cv::resize(view, large, {}, factor, factor, factor >= 4 ? cv::INTER_NEAREST : cv::INTER_CUBIC);
  return large;
}

/// 0 at the least, 1 at the most attended patch; smooth between patches.
cv::Mat heat_of(const AttentionMap& map, cv::Size size) {
  const auto grid = static_cast<int>(map.grid);
  cv::Mat cells(grid, grid, CV_32F);
  std::copy(map.shares.begin(), map.shares.end(), cells.begin<float>());
  const auto [low, high] = std::minmax_element(map.shares.begin(), map.shares.end());
  const float span = *high - *low;
  cells = span > 0 ? cv::Mat((cells - *low) / span) : cv::Mat::zeros(grid, grid, CV_32F);
  cv::Mat heat;
  cv::resize(cells, heat, size, 0, 0, cv::INTER_CUBIC);
  cv::min(cv::max(heat, 0.0), 1.0, heat);
  return heat;
}

/// The picture dark where the model does not look, bright and coloured where it does.
cv::Mat blend(const cv::Mat& picture, const cv::Mat& heat) {
  cv::Mat bytes;
  cv::Mat colors;
  heat.convertTo(bytes, CV_8U, 255);
  cv::applyColorMap(bytes, colors, cv::COLORMAP_INFERNO);
  cv::Mat mixed;
  cv::addWeighted(picture, 1 - kHeat, colors, kHeat, 0, mixed);
  return mixed;
}

/// Label and probability; of a long label the end is cut.
std::string title_of(const Explanation& explanation, int width) {
  if (explanation.predictions.empty()) return "features only";
  const Prediction& best = explanation.predictions.front();
  const std::string share = "  " + percent(static_cast<double>(best.probability), 1);
  return fit_text(best.label, kTitleSize, width - text_width(share, kTitleSize)) + share;
}

}  // namespace

cv::Mat draw_attention(const Explanation& explanation) {
  const cv::Mat picture = enlarge(bgr_from_image(explanation.view));
  const cv::Mat overlay = blend(picture, heat_of(explanation.map, picture.size()));
  const int side = picture.cols;
  cv::Mat sheet(kTitle + picture.rows + kCaption + kMargin, 2 * side + 3 * kMargin, CV_8UC3, kPaper);
  const int second = side + 2 * kMargin;
  draw_text(sheet, title_of(explanation, 2 * side + kMargin), {kMargin, kTitle - 11}, kTitleSize, kInk);
  picture.copyTo(sheet(cv::Rect(kMargin, kTitle, side, picture.rows)));
  overlay.copyTo(sheet(cv::Rect(second, kTitle, side, picture.rows)));
  const int caption = kTitle + picture.rows + kCaption - 6;
  draw_text(sheet, "what the model sees", {kMargin, caption}, kCaptionSize, kInk);
  draw_text(sheet, "where it looks (bright)", {second, caption}, kCaptionSize, kInk);
  return sheet;
}

void save_attention(const std::filesystem::path& path, const Explanation& explanation) {
  const std::vector<unsigned char> png = encode_png(draw_attention(explanation));
  write_file_atomically(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace vit
