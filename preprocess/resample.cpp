#include "preprocess/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "vit/core/cpu.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr int kWeightBits = 22;  // 32 - 8 bits of a pixel - 2 for sign and the overshoot of bicubic
constexpr int32_t kHalf = 1 << (kWeightBits - 1);

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

/// Output i is the sum of weight(i)[t] * source[first[i] + t] for t < count[i].
struct Taps {
  int64_t stride = 0;
  std::vector<int32_t> first, count, weights;

  int64_t size() const { return std::ssize(first); }
  const int32_t* weight(int64_t i) const { return weights.data() + i * stride; }
  int64_t source_begin() const { return first.front(); }
  int64_t source_end() const { return first.back() + count.back(); }
};

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
  taps.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
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

// ---- The two passes. Their bodies are compiled twice: for any processor, and for AVX2, which multiplies eight
// 32-bit integers at once.

#define VIT_INLINE [[gnu::always_inline]] inline

VIT_INLINE uint8_t to_pixel(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

/// One row of RGB; reads one byte behind the row's last pixel.
VIT_INLINE void resample_row_body(const uint8_t* source, const Taps& taps, uint8_t* out) {
  using Bytes = uint8_t __attribute__((vector_size(4)));  // one pixel and the next one's red, which nobody looks at
  using Sums = int32_t __attribute__((vector_size(16)));
  for (int64_t i = 0, n = taps.size(); i < n; ++i) {
    const int32_t* weight = taps.weight(i);
    const uint8_t* pixel = source + int64_t{taps.first[static_cast<size_t>(i)]} * 3;
    Sums sums = {kHalf, kHalf, kHalf, kHalf};
    for (int32_t t = 0, count = taps.count[static_cast<size_t>(i)]; t < count; ++t) {
      Bytes bytes;
      std::memcpy(&bytes, pixel + t * 3, sizeof(bytes));
      sums += __builtin_convertvector(bytes, Sums) * weight[t];
    }
    for (int c = 0; c < 3; ++c) out[i * 3 + c] = to_pixel(sums[c]);
  }
}

/// out[x] = weighted sum of `count` rows, `row_bytes` apart.
VIT_INLINE void blend_rows_body(const uint8_t* rows, int64_t row_bytes, const int32_t* weight, int32_t count,
                                uint8_t* out) {
  constexpr int64_t kBlock = 64;
  for (int64_t begin = 0; begin < row_bytes; begin += kBlock) {
    const int64_t n = std::min(kBlock, row_bytes - begin);
    int32_t sums[kBlock];
    std::fill_n(sums, kBlock, kHalf);
    for (int32_t t = 0; t < count; ++t) {
      const uint8_t* row = rows + t * row_bytes + begin;
      const int32_t w = weight[t];
      if (n == kBlock) {
        for (int64_t x = 0; x < kBlock; ++x) sums[x] += row[x] * w;
      } else {
        for (int64_t x = 0; x < n; ++x) sums[x] += row[x] * w;
      }
    }
    for (int64_t x = 0; x < n; ++x) out[begin + x] = to_pixel(sums[x]);
  }
}

struct Passes {
  void (*resample_row)(const uint8_t* source, const Taps& taps, uint8_t* out);
  void (*blend_rows)(const uint8_t* rows, int64_t row_bytes, const int32_t* weight, int32_t count, uint8_t* out);
};

constexpr Passes kBaseline = {
    [](const uint8_t* source, const Taps& taps, uint8_t* out) { resample_row_body(source, taps, out); },
    [](const uint8_t* rows, int64_t row_bytes, const int32_t* weight, int32_t count, uint8_t* out) {
      blend_rows_body(rows, row_bytes, weight, count, out);
    }};

#if defined(__x86_64__)
[[gnu::target("avx2")]] void resample_row_avx2(const uint8_t* source, const Taps& taps, uint8_t* out) {
  resample_row_body(source, taps, out);
}
[[gnu::target("avx2")]] void blend_rows_avx2(const uint8_t* rows, int64_t row_bytes, const int32_t* weight,
                                             int32_t count, uint8_t* out) {
  blend_rows_body(rows, row_bytes, weight, count, out);
}
Passes passes() { return active_isa() >= Isa::avx2 ? Passes{resample_row_avx2, blend_rows_avx2} : kBaseline; }
#else
Passes passes() { return kBaseline; }
#endif

/// Columns of `taps`, rows [top, top + height) of the source.
Image horizontal_pass(const Image& image, const Taps& taps, int64_t top, int64_t height) {
  const auto resample_row = passes().resample_row;
  Image out{taps.size(), height, std::vector<uint8_t>(static_cast<size_t>(taps.size() * height * 3))};
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = image.pixels.data() + (top + y) * image.width * 3;
    std::vector<uint8_t> padded;
    if (top + y == image.height - 1) {  // no byte follows the picture's last pixel
      padded.assign(row, row + image.width * 3);
      padded.push_back(0);
      row = padded.data();
    }
    resample_row(row, taps, out.pixels.data() + y * out.width * 3);
  }
  return out;
}

/// Rows of `taps`; the image begins with row `top` of what the taps count in.
Image vertical_pass(const Image& image, const Taps& taps, int64_t top) {
  const auto blend_rows = passes().blend_rows;
  const int64_t row_bytes = image.width * 3;
  Image out{image.width, taps.size(), std::vector<uint8_t>(static_cast<size_t>(row_bytes * taps.size()))};
  for (int64_t y = 0; y < out.height; ++y) {
    const int64_t first = taps.first[static_cast<size_t>(y)] - top;
    blend_rows(image.pixels.data() + first * row_bytes, row_bytes, taps.weight(y), taps.count[static_cast<size_t>(y)],
               out.pixels.data() + y * row_bytes);
  }
  return out;
}

Image crop(const Image& image, const Window& window) {
  Image out{window.width, window.height, std::vector<uint8_t>(static_cast<size_t>(window.width * window.height * 3))};
  for (int64_t y = 0; y < window.height; ++y) {
    const uint8_t* row = image.pixels.data() + ((window.top + y) * image.width + window.left) * 3;
    std::copy_n(row, window.width * 3, out.pixels.data() + y * window.width * 3);
  }
  return out;
}

}  // namespace

Image resample(const Image& image, int64_t width, int64_t height, const Window& window, Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const bool columns_stay = width == image.width;
  if (height == image.height) {
    if (columns_stay) return crop(image, window);
    return horizontal_pass(image, make_taps(image.width, width, window.left, window.width, filter), window.top,
                           window.height);
  }
  const Taps rows = make_taps(image.height, height, window.top, window.height, filter);
  const int64_t top = rows.source_begin(), used = rows.source_end() - top;
  if (columns_stay) return vertical_pass(crop(image, {window.left, top, window.width, used}), rows, top);
  const Taps columns = make_taps(image.width, width, window.left, window.width, filter);
  return vertical_pass(horizontal_pass(image, columns, top, used), rows, top);
}

}  // namespace vit
