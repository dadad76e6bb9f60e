#include "infer/picture.h"

#include <opencv2/imgproc.hpp>

#include "vit/core/text.h"

namespace vit {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontHeight = 22;  // pixels of a capital letter at scale 1

/// One '?' for each code point outside ASCII.
std::string ascii(const std::string& text) {
  std::string plain;
  for (char c : printable(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) plain += c;
    if (byte >= 0xC0) plain += '?';
  }
  return plain;
}

}  // namespace

void draw_text(cv::Mat& picture, const std::string& text, cv::Point at, double size, const cv::Scalar& color) {
  const int thickness = size >= 18 ? 2 : 1;
  cv::putText(picture, ascii(text), at, kFont, size / kFontHeight, color, thickness, cv::LINE_AA);
}

int text_width(const std::string& text, double size) {
  int baseline = 0;
  return cv::getTextSize(ascii(text), kFont, size / kFontHeight, 1, &baseline).width;
}

std::string fit_text(const std::string& text, double size, int width) {
  std::string line = ascii(text);
  if (text_width(line, size) <= width) return line;
  while (!line.empty() && text_width(line + "..", size) > width) line.pop_back();
  return line + "..";
}

}  // namespace vit
