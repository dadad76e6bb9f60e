// Drawing helpers. Drawings are BGR, as OpenCV takes colours.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "preprocess/encode_png.h"

namespace vit {

inline const cv::Scalar kInk(40, 40, 40);
inline const cv::Scalar kPaper(255, 255, 255);

/// A line of text in pixels of height `size`, drawn with its left end and baseline at `at`. OpenCV's own letters are
/// ASCII: others show as '?'.
void draw_text(cv::Mat& picture, const std::string& text, cv::Point at, double size, const cv::Scalar& color);
/// Its width in pixels.
int text_width(const std::string& text, double size);
/// Cut at the end, with "..", to at most `width` pixels.
std::string fit_text(const std::string& text, double size, int width);

}  // namespace vit
