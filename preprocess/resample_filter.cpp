#include "preprocess/resample_filter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "vit/core/error.h"

namespace vit {
namespace {

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

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

/// A sinc under Hamming's window, whose numbers are floats in Pillow.
double hamming_weight(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (double{0.54f} + double{0.46f} * std::cos(x));
}

/// Of three lobes.
double lanczos_weight(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

template <double (*kWeight)(double x)>
void weigh(int64_t first, double center, double inverse_stretch, std::span<double> out) {
  for (std::size_t t = 0; t < out.size(); ++t)
    out[t] = kWeight((static_cast<double>(first + static_cast<int64_t>(t)) - center + 0.5) * inverse_stretch);
}

}  // namespace

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::box:
      return {weigh<box_weight>, 0.5};
    case Interpolation::bilinear:
      return {weigh<triangle_weight>, 1.0};
    case Interpolation::hamming:
      return {weigh<hamming_weight>, 1.0};
    case Interpolation::bicubic:
      return {weigh<cubic_weight>, 2.0};
    case Interpolation::lanczos:
      return {weigh<lanczos_weight>, 3.0};
    case Interpolation::nearest:
      break;
  }
  fail(ErrorKind::usage, "[resize] interpolation ", static_cast<int>(interpolation), " has no weights");
}

}  // namespace vit
