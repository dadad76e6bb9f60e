// Line charts; OpenCV stays in the sources that include this header.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace vit {

struct Line {
  std::string name;  // in the legend; empty = not there
  cv::Scalar color;  // BGR
  std::vector<cv::Point2d> points;
};

struct Chart {
  std::string title;
  std::string x_title;
  std::vector<Line> lines;
  bool from_zero = false;     // the vertical axis begins at 0
  int highlight = -1;         // index of the point of the first line that gets a ring
  bool legend_below = false;  // in the lower right corner, not the upper
};

/// The charts beside each other, BGR. Points that are not finite, or beyond 1e300, are left out.
cv::Mat draw_charts(const std::vector<Chart>& charts);

/// Round numbers, 1, 2 or 5 times a power of ten apart, about `wanted` of them, that lie in [low, high]. None where low
/// and high have no number between them, are not finite, or differ by less than a step can tell.
std::vector<double> axis_ticks(double low, double high, int wanted);

}  // namespace vit
