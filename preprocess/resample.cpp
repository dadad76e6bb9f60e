#include "preprocess/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "preprocess/image.h"
#include "preprocess/resample_filter.h"
#include "preprocess/resample_passes.h"
#include "vit/core/cpu.h"
#include "vit/core/error.h"

namespace vit {
namespace {

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
  taps.stride = (static_cast<int64_t>(std::ceil(support)) * 2 + 1 + 3) / 4 * 4;
  taps.first.reserve(static_cast<size_t>(count));
  taps.count.reserve(static_cast<size_t>(count));
  taps.weights.assign(static_cast<size_t>(count * taps.stride), 0);
  std::vector<double> weights(static_cast<size_t>(taps.stride));
  for (int64_t i = 0; i < count; ++i) {
    const double center = (static_cast<double>(begin + i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t last = std::min(static_cast<int64_t>(center + support + 0.5), source);
    const std::span<double> used(weights.data(), static_cast<size_t>(last - first));
    filter.weigh(first, center, inverse_stretch, used);
    double sum = 0;
    for (const double w : used) sum += w;
    taps.first.push_back(static_cast<int32_t>(first));
    taps.count.push_back(static_cast<int32_t>(last - first));
    int32_t* out = taps.weights.data() + i * taps.stride;
    for (const double w : used) *out++ = fixed_point(sum != 0.0 ? w / sum : w);
  }
  return taps;
}

// ---- Pictures

cv::Mat horizontal_pass(const cv::Mat& source, const Taps& taps) {
  const Passes pass = passes_for(active_isa());
  cv::Mat out = new_pixels(taps.size(), source.rows);
  const auto stride = static_cast<int64_t>(source.step), out_stride = static_cast<int64_t>(out.step);
  const int64_t row_bytes = int64_t{source.cols} * 3, rows = source.rows;
  // Nothing may follow the picture's last pixel, so its last rows are read from a copy.
  const int64_t copied = std::min(rows, (kOverread + stride - 1) / stride), direct = rows - copied;
  pass.resample_rows({source.data, stride}, direct, taps, {out.data, out_stride});
  std::vector<uint8_t> padded(static_cast<size_t>(copied * row_bytes + kOverread));
  for (int64_t y = 0; y < copied; ++y)
    std::copy_n(source.ptr(static_cast<int>(direct + y)), row_bytes, padded.data() + y * row_bytes);
  pass.resample_rows({padded.data(), row_bytes}, copied, taps, {out.ptr(static_cast<int>(direct)), out_stride});
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

/// The source sample of each output of [begin, begin + count), or -1. The places add up in double precision, and what
/// adds up beyond the last sample has none: so does Pillow.
std::vector<int64_t> nearest_samples(int64_t source, int64_t target, int64_t begin, int64_t count) {
  const double step = static_cast<double>(source) / static_cast<double>(target);
  std::vector<int64_t> samples;
  samples.reserve(static_cast<size_t>(count));
  double place = step * 0.5;
  for (int64_t i = 0; i < begin + count; ++i, place += step) {
    const auto sample = static_cast<int64_t>(place);
    if (i >= begin) samples.push_back(sample < source ? sample : -1);
  }
  return samples;
}

cv::Mat nearest(const cv::Mat& picture, int64_t width, int64_t height, const Window& window) {
  if (width == picture.cols && height == picture.rows)
    return picture(cv::Rect(static_cast<int>(window.left), static_cast<int>(window.top), static_cast<int>(window.width),
                            static_cast<int>(window.height)));
  const std::vector<int64_t> columns = nearest_samples(picture.cols, width, window.left, window.width);
  const std::vector<int64_t> rows = nearest_samples(picture.rows, height, window.top, window.height);
  cv::Mat out = new_pixels(window.width, window.height);
  for (int64_t y = 0; y < window.height; ++y) {
    const int64_t from = rows[static_cast<size_t>(y)];
    const uint8_t* row = from < 0 ? nullptr : picture.ptr(static_cast<int>(from));
    uint8_t* pixel = out.ptr(static_cast<int>(y));
    for (const int64_t column : columns) {
      for (int64_t c = 0; c < 3; ++c) *pixel++ = row == nullptr || column < 0 ? 0 : row[column * 3 + c];
    }
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
  if (interpolation == Interpolation::nearest) return nearest(picture, width, height, window);
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
