#include "preprocess/resample_floats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <opencv2/core.hpp>
#include <vector>

#include "vit/core/cpu.h"
#include "vit/core/error.h"

namespace vit {
namespace {

// The places and weights are rounded to floats where torch rounds them: at column 500 that shows in the fifth digit.

float triangle_weight(float x) { return std::max(0.0f, 1.0f - std::abs(x)); }

/// Its products and sums are fused, as a compiler makes them of torch's; std::fma does so on every machine.
float cubic_weight(float x) {
  constexpr float a = -0.5f;
  x = std::abs(x);
  if (x < 1.0f) return std::fma(std::fma(a + 2, x, -(a + 3)) * x, x, 1.0f);
  if (x < 2.0f) return std::fma(std::fma(std::fma(a, x, -5 * a), x, 8 * a), x, -4 * a);
  return 0;
}

struct FloatFilter {
  float (*weight)(float x);
  float support;
};

FloatFilter filter_of(Interpolation interpolation) {
  if (interpolation == Interpolation::bilinear) return {triangle_weight, 1};
  if (interpolation == Interpolation::bicubic) return {cubic_weight, 2};
  fail(ErrorKind::usage, "[resize] floats are resized bilinear or bicubic, not ", word_of(interpolation));
}

struct FloatTaps {
  std::size_t stride = 0;  // of weights
  std::vector<int64_t> first, count;
  std::vector<float> weights;

  const float* weight(int64_t i) const { return weights.data() + static_cast<std::size_t>(i) * stride; }
};

/// Of outputs [begin, begin + count).
FloatTaps make_taps(int64_t source, int64_t target, int64_t begin, int64_t count, const FloatFilter& filter) {
  const float scale = static_cast<float>(source) / static_cast<float>(target);
  const float support = scale >= 1 ? filter.support * scale : filter.support;
  const float inverse = scale >= 1 ? 1 / scale : 1;
  FloatTaps taps;
  taps.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  taps.weights.assign(static_cast<std::size_t>(count) * taps.stride, 0);
  for (int64_t i = 0; i < count; ++i) {
    const auto center = static_cast<float>(static_cast<double>(scale) * (static_cast<double>(begin + i) + 0.5));
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(static_cast<double>(center - support) + 0.5), 0);
    const int64_t last = std::min(static_cast<int64_t>(static_cast<double>(center + support) + 0.5), source);
    const int64_t n = std::clamp<int64_t>(last - first, 0, static_cast<int64_t>(taps.stride));
    float* out = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
    float sum = 0;
    for (int64_t t = 0; t < n; ++t) {
      const double place = static_cast<double>(static_cast<float>(first + t) - center) + 0.5;
      out[t] = filter.weight(static_cast<float>(place * static_cast<double>(inverse)));
      sum += out[t];
    }
    if (sum != 0)
      for (int64_t t = 0; t < n; ++t) out[t] /= sum;
    taps.first.push_back(first);
    taps.count.push_back(n);
  }
  return taps;
}

// ---- Passes
// torch's sums: the first product, then fours of rounded products added one by one, then what is left fused. The file
// is compiled without contraction, so that only std::fma fuses.

constexpr int64_t kGroup = 4;

/// Taps behind the first that are not fused.
int64_t rounded_taps(int64_t count) { return (count - 1) / kGroup * kGroup; }

[[gnu::always_inline]] inline void narrow_row_body(const float* values, const uint8_t* source, const FloatTaps& taps,
                                                   float* out) {
  for (std::size_t x = 0; x < taps.first.size(); ++x, out += 3) {
    const float* weight = taps.weight(static_cast<int64_t>(x));
    const uint8_t* pixel = source + taps.first[x] * 3;
    const int64_t count = taps.count[x], rounded = rounded_taps(count);
    for (int c = 0; c < 3; ++c) {
      float sum = values[pixel[c]] * weight[0];
      int64_t t = 1;
      for (; t <= rounded; ++t) sum += values[pixel[t * 3 + c]] * weight[t];
      for (; t < count; ++t) sum = std::fma(values[pixel[t * 3 + c]], weight[t], sum);
      out[c] = sum;
    }
  }
}

[[gnu::always_inline]] inline void add_row_body(const float* row, float weight, bool fused, float* sums, int64_t n) {
  if (fused)
    for (int64_t i = 0; i < n; ++i) sums[i] = std::fma(row[i], weight, sums[i]);
  else
    for (int64_t i = 0; i < n; ++i) sums[i] += row[i] * weight;
}

struct FloatPasses {
  /// A row of RGB bytes, looked up in `values`, into one pixel for each output of the taps.
  void (*narrow_row)(const float* values, const uint8_t* source, const FloatTaps& taps, float* out);
  /// sums += row * weight.
  void (*add_row)(const float* row, float weight, bool fused, float* sums, int64_t n);
};

void narrow_row_any(const float* values, const uint8_t* source, const FloatTaps& taps, float* out) {
  narrow_row_body(values, source, taps, out);
}
void add_row_any(const float* row, float weight, bool fused, float* sums, int64_t n) {
  add_row_body(row, weight, fused, sums, n);
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void narrow_row_fma(const float* values, const uint8_t* source, const FloatTaps& taps,
                                                float* out) {
  narrow_row_body(values, source, taps, out);
}
[[gnu::target("avx2,fma")]] void add_row_fma(const float* row, float weight, bool fused, float* sums, int64_t n) {
  add_row_body(row, weight, fused, sums, n);
}
#endif

/// All give the same bits.
FloatPasses float_passes() {
#if defined(__x86_64__)
  if (active_isa() >= Isa::avx2) return {narrow_row_fma, add_row_fma};
#endif
  return {narrow_row_any, add_row_any};
}

}  // namespace

cv::Mat resample_floats(const cv::Mat& picture, int64_t width, int64_t height, const Window& window,
                        Interpolation interpolation) {
  const FloatFilter filter = filter_of(interpolation);
  const FloatTaps columns = make_taps(picture.cols, width, window.left, window.width, filter);
  const FloatTaps rows = make_taps(picture.rows, height, window.top, window.height, filter);
  std::array<float, 256> values{};
  for (std::size_t v = 0; v < values.size(); ++v) values[v] = static_cast<float>(v) * static_cast<float>(1.0 / 255);

  const FloatPasses pass = float_passes();
  const int64_t top = rows.first.front(), bottom = rows.first.back() + rows.count.back();
  cv::Mat narrow(static_cast<int>(bottom - top), static_cast<int>(window.width), CV_32FC3);
  for (int y = 0; y < narrow.rows; ++y)
    pass.narrow_row(values.data(), picture.ptr(static_cast<int>(top) + y), columns, narrow.ptr<float>(y));
  cv::Mat out(static_cast<int>(window.height), static_cast<int>(window.width), CV_32FC3, cv::Scalar::all(0));
  for (int64_t y = 0; y < window.height; ++y) {
    const int64_t first = rows.first[static_cast<std::size_t>(y)] - top;
    const int64_t count = rows.count[static_cast<std::size_t>(y)];
    for (int64_t t = 0; t < count; ++t)
      pass.add_row(narrow.ptr<float>(static_cast<int>(first + t)), rows.weight(y)[t], t > rounded_taps(count),
                   out.ptr<float>(static_cast<int>(y)), window.width * 3);
  }
  return out;
}

}  // namespace vit
