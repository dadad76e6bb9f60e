#include "preprocess/resample.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "preprocess/image.h"
#include "preprocess/resample_passes.h"
#include "vit/core/cpu.h"
#include "vit/core/error.h"

namespace vit {
namespace {

// ---- Filters

struct Filter {
  double (*weight)(double x);
  double support;  // weight(x) = 0 for |x| >= support
};

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double triangle_weight(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

/// Keys' cubic with a = -1/2 (IEEE Trans. ASSP 29, 1981), which reproduces parabolas.
double cubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::area:
      return {box_weight, 0.5};
    case Interpolation::bilinear:
      return {triangle_weight, 1.0};
    case Interpolation::bicubic:
      return {cubic_weight, 2.0};
  }
  fail(ErrorKind::usage, "[resize] unknown interpolation ", static_cast<int>(interpolation));
}

// ---- Weights of one axis

int32_t fixed_point(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/// Taps of outputs [begin, begin + count) when `source` samples become `target`. When that shrinks, the filter is
/// stretched by the reduction, which is what keeps fine patterns from aliasing.
Taps make_taps(int64_t source, int64_t target, int64_t begin, int64_t count, const Filter& filter) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;
  const double inverse_stretch = 1.0 / stretch;
  Taps taps;
  taps.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 2;
  taps.first.reserve(static_cast<size_t>(count));
  taps.count.reserve(static_cast<size_t>(count));
  taps.weights.assign(static_cast<size_t>(count * taps.stride), 0);
  std::vector<double> weights(static_cast<size_t>(taps.stride));
  for (int64_t i = 0; i < count; ++i) {
    const double center = (static_cast<double>(begin + i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t last = std::min(static_cast<int64_t>(center + support + 0.5), source);
    double sum = 0;
    for (int64_t t = 0; t < last - first; ++t) {
      const double w = filter.weight((static_cast<double>(first + t) - center + 0.5) * inverse_stretch);
      weights[static_cast<size_t>(t)] = w;
      sum += w;
    }
    taps.first.push_back(static_cast<int32_t>(first));
    taps.count.push_back(static_cast<int32_t>(last - first));
    int32_t* out = taps.weights.data() + i * taps.stride;
    for (int64_t t = 0; t < last - first; ++t) {
      const double w = weights[static_cast<size_t>(t)];
      out[t] = fixed_point(sum != 0.0 ? w / sum : w);
    }
  }
  return taps;
}

// ---- Pictures

cv::Mat horizontal_pass(const cv::Mat& source, const Taps& taps) {
  const Passes pass = passes_for(active_isa());
  cv::Mat out = new_pixels(taps.size(), source.rows);
  const int64_t row_bytes = int64_t{source.cols} * 3;
  const uint8_t* end = source.ptr(source.rows - 1) + row_bytes;
  std::vector<uint8_t> padded;
  for (int y = 0; y < source.rows; ++y) {
    const uint8_t* row = source.ptr(y);
    if (end - row < row_bytes + kOverread) {  // nothing may follow the picture's last pixel
      padded.assign(row, row + row_bytes);
      padded.resize(padded.size() + kOverread);
      row = padded.data();
    }
    pass.resample_row(row, taps, out.ptr(y));
  }
  return out;
}

cv::Mat vertical_pass(const cv::Mat& source, const Taps& taps) {
  const Passes pass = passes_for(active_isa());
  cv::Mat out = new_pixels(source.cols, taps.size());
  const auto stride = static_cast<int64_t>(source.step);
  for (int y = 0; y < out.rows; ++y) {
    const auto i = static_cast<size_t>(y);
    pass.blend_rows(source.ptr(taps.first[i]), stride, taps.weight(y), taps.count[i],
                    {out.ptr(y), static_cast<size_t>(out.cols) * 3});
  }
  return out;
}

/// Which source samples an axis needs, and its taps counted from the first of them; without taps when the axis keeps
/// its length.
struct Axis {
  int64_t begin = 0, count = 0;
  std::optional<Taps> taps;
};

Axis make_axis(int64_t source, int64_t target, int64_t begin, int64_t count, const Filter& filter) {
  if (source == target) return {begin, count, std::nullopt};
  Taps taps = make_taps(source, target, begin, count, filter);
  const int32_t first = taps.first.front();
  const int64_t used = taps.first.back() + taps.count.back() - first;
  for (int32_t& tap : taps.first) tap -= first;
  return {first, used, std::move(taps)};
}

}  // namespace

cv::Mat resample(const cv::Mat& picture, int64_t width, int64_t height, const Window& window,
                 Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const Axis columns = make_axis(picture.cols, width, window.left, window.width, filter);
  const Axis rows = make_axis(picture.rows, height, window.top, window.height, filter);
  const cv::Mat source = picture(cv::Rect(static_cast<int>(columns.begin), static_cast<int>(rows.begin),
                                          static_cast<int>(columns.count), static_cast<int>(rows.count)));
  if (!columns.taps && !rows.taps) return source;
  if (!rows.taps) return horizontal_pass(source, *columns.taps);
  if (!columns.taps) return vertical_pass(source, *rows.taps);
  // The order shows in the last bit. This rule is that of Pillow 13; older versions always begin with the columns.
  const int64_t rows_lost = picture.rows - height, columns_lost = picture.cols - width;
  if (rows_lost > 0 && rows_lost > 2 * columns_lost)
    return horizontal_pass(vertical_pass(source, *rows.taps), *columns.taps);
  return vertical_pass(horizontal_pass(source, *columns.taps), *rows.taps);
}

}  // namespace vit
