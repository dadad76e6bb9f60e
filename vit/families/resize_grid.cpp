#include "vit/families/resize_grid.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "vit/core/error.h"

namespace vit {
namespace {

double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double tent(double x) { return std::max(1 - std::abs(x), 0.0); }

/// What each old place gives to each new one along an axis: weights [new, old].
struct AxisWeights {
  int64_t count = 0;
  std::vector<double> values;

  AxisWeights(int64_t old_count, int64_t new_count)
      : count(old_count), values(static_cast<std::size_t>(old_count * new_count)) {}
  double& at(int64_t to, int64_t from) { return values[static_cast<std::size_t>(to * count + from)]; }
};

/// A filter as wide as the places that a new one covers; its weights are made to add up to one.
void fill_antialiased(const GridFilter& filter, double step, int64_t new_count, AxisWeights& weights) {
  const bool is_cubic = filter.kernel == GridFilter::Kernel::bicubic;
  const double stretch = std::max(step, 1.0), support = (is_cubic ? 2 : 1) * stretch;
  for (int64_t to = 0; to < new_count; ++to) {
    const double center = step * (static_cast<double>(to) + 0.5);
    const auto begin = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const auto end = std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), weights.count);
    double sum = 0;
    for (int64_t from = begin; from < end; ++from) {
      const double x = (static_cast<double>(from) - center + 0.5) / stretch;
      sum += weights.at(to, from) = is_cubic ? cubic(x, -0.5) : tent(x);
    }
    for (int64_t from = begin; from < end; ++from) weights.at(to, from) /= sum;
  }
}

/// Between the nearest places, those past the edge standing for the last one.
void fill_interpolated(const GridFilter& filter, double step, int64_t new_count, AxisWeights& weights) {
  const auto add = [&](int64_t to, int64_t from, double weight) {
    weights.at(to, std::clamp<int64_t>(from, 0, weights.count - 1)) += weight;
  };
  for (int64_t to = 0; to < new_count; ++to) {
    const auto place = static_cast<double>(to);
    double source = filter.align_corners ? step * place : step * (place + 0.5) - 0.5;
    if (filter.kernel == GridFilter::Kernel::bilinear) source = std::max(source, 0.0);
    const auto first = static_cast<int64_t>(std::floor(source));
    const double t = source - static_cast<double>(first);
    if (filter.kernel == GridFilter::Kernel::bicubic) {
      for (int64_t k = -1; k <= 2; ++k) add(to, first + k, cubic(t - static_cast<double>(k), -0.75));
    } else {
      add(to, first, 1 - t);
      add(to, first + 1, t);
    }
  }
}

AxisWeights axis_weights(const GridFilter& filter, int64_t old_count, int64_t new_count) {
  AxisWeights weights(old_count, new_count);
  const auto from = static_cast<double>(old_count), to = static_cast<double>(new_count);
  if (filter.antialias) {
    fill_antialiased(filter, from / to, new_count, weights);
  } else {
    const double step = !filter.align_corners ? from / (to + filter.scale_offset)
                        : new_count > 1       ? (from - 1) / (to - 1)
                                              : 0;
    fill_interpolated(filter, step, new_count, weights);
  }
  return weights;
}

}  // namespace

void resize_grid(const GridResize& grid, int64_t width, std::span<const float> table, int64_t out_rows,
                 int64_t out_cols, std::span<float> out) {
  if (grid.rows < 1 || grid.cols < 1 || out_rows < 1 || out_cols < 1 ||
      static_cast<int64_t>(table.size()) != (grid.prefix + grid.rows * grid.cols) * width ||
      static_cast<int64_t>(out.size()) != (grid.prefix + out_rows * out_cols) * width)
    fail(ErrorKind::internal, "[resize_grid] tables do not have the rows that their grids have");
  std::copy_n(table.data(), grid.prefix * width, out.data());
  const float* old = table.data() + grid.prefix * width;
  AxisWeights down = axis_weights(grid.filter, grid.rows, out_rows);
  AxisWeights across = axis_weights(grid.filter, grid.cols, out_cols);
  std::vector<double> wide(static_cast<std::size_t>(grid.rows * out_cols * width));
  const auto add = [width](double weight, const auto* from, double* to) {
    if (weight == 0) return;
    for (int64_t k = 0; k < width; ++k) to[k] += weight * static_cast<double>(from[k]);
  };
  for (int64_t r = 0; r < grid.rows; ++r)
    for (int64_t c = 0; c < out_cols; ++c)
      for (int64_t from = 0; from < grid.cols; ++from)
        add(across.at(c, from), old + (r * grid.cols + from) * width, wide.data() + (r * out_cols + c) * width);
  std::vector<double> line(static_cast<std::size_t>(out_cols * width));
  for (int64_t r = 0; r < out_rows; ++r) {
    std::fill(line.begin(), line.end(), 0.0);
    for (int64_t from = 0; from < grid.rows; ++from)
      for (int64_t c = 0; c < out_cols; ++c)
        add(down.at(r, from), wide.data() + (from * out_cols + c) * width, line.data() + c * width);
    std::transform(line.begin(), line.end(), out.data() + (grid.prefix + r * out_cols) * width,
                   [](double x) { return static_cast<float>(x); });
  }
}

}  // namespace vit
