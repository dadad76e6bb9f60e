#include "vit/kernels/gelu_table.h"

#include <array>
#include <cmath>
#include <numbers>

namespace vit {
namespace {

using std::numbers::inv_sqrtpi;
using std::numbers::pi;
using std::numbers::sqrt2;

constexpr double kQuick = 1.702;
constexpr float kNarrow = 0.1875f, kWide = 0.34375f;  // segments

double erf_tail(double a) { return 0.5 * std::erfc(a / sqrt2); }
double erf_slope(double a) { return 0.5 * std::erf(a / sqrt2) + a * std::exp(-0.5 * a * a) * inv_sqrtpi / sqrt2; }

// The tanh form is x s(2u), s the logistic function, u = sqrt(2 / pi) (x + 0.044715 x^3).
double tanh_tail(double a) { return 1 / (1 + std::exp(2 * std::sqrt(2 / pi) * (a + 0.044715 * a * a * a))); }
double tanh_slope(double a) {
  const double tail = tanh_tail(a), derivative = 2 * std::sqrt(2 / pi) * (1 + 3 * 0.044715 * a * a);
  return 0.5 - tail + a * tail * (1 - tail) * derivative;
}

// The quick form is x s(kQuick x).
double quick_tail(double a) { return 1 / (1 + std::exp(kQuick * a)); }
double quick_slope(double a) {
  const double tail = quick_tail(a);
  return 0.5 - tail + kQuick * a * tail * (1 - tail);
}

// Coefficients of a polynomial of degree N - 1, lowest power first.
template <int N>
using Polynomial = std::array<double, N>;

// p = p (a - root) + c
template <int N>
void multiply_add(Polynomial<N>& p, double root, double c) {
  for (int i = N - 1; i > 0; --i) p[i] = p[i - 1] - root * p[i];
  p[0] = c - root * p[0];
}

// Chebyshev node i of `count` in segment n.
double node(int i, int count, double n, double width) { return width * (n + 0.5 * std::cos((i + 0.5) * pi / count)); }

// Interpolates f in N Chebyshev nodes of segment n, which is close to the best polynomial.
template <int N>
Polynomial<N> interpolate(double (*f)(double), int n, double width) {
  double a[N], difference[N];
  for (int i = 0; i < N; ++i) difference[i] = f(a[i] = node(i, N, n, width));
  for (int order = 1; order < N; ++order)  // Newton's divided differences
    for (int i = N - 1; i >= order; --i) difference[i] = (difference[i] - difference[i - 1]) / (a[i] - a[i - order]);
  Polynomial<N> p = {};
  for (int i = N - 1; i >= 0; --i) multiply_add<N>(p, a[i], difference[i]);
  return p;
}

// Rounds the coefficients to float from the highest on, and takes what each loses into the lower ones, by the
// polynomial of its degree that is smallest in the segment.
template <int N>
void round_coefficients(Polynomial<N>& p, int n, double width) {
  for (int power = N - 1; power >= 0; --power) {
    const double lost = p[power] - double{static_cast<float>(p[power])};
    Polynomial<N> small = {1};
    for (int i = 0; i < power; ++i) multiply_add<N>(small, node(i, power, n, width), 0);
    for (int i = 0; i <= power; ++i) p[i] -= lost * small[i];
  }
}

// The last segment is `end`.
template <int kDegree>
GeluTable<kDegree> make_table(double (*f)(double), float end, float width) {
  using Table = GeluTable<kDegree>;
  constexpr int kLast = Table::kSegments - 1;
  Table table = {};
  table.width = width;
  table.c[0][kLast] = end;
  for (int n = 0; n < kLast; ++n) {
    auto p = interpolate<kDegree + 1>(f, n, double{width});
    round_coefficients<kDegree + 1>(p, n, double{width});
    for (int i = 0; i <= kDegree; ++i) table.c[i][n] = static_cast<float>(p[i]);
  }
  return table;
}

template <class Table>
const Table& table_of(Activation kind, const Table& erf, const Table& tanh, const Table& quick) {
  if (kind == Activation::quick_gelu) return quick;
  return kind == Activation::gelu_erf ? erf : tanh;
}

}  // namespace

template <int kDegree>
const GeluTable<kDegree>& gelu_tail_table(Activation kind) {
  static const auto erf = make_table<kDegree>(erf_tail, 0, kNarrow), tanh = make_table<kDegree>(tanh_tail, 0, kNarrow),
                    quick = make_table<kDegree>(quick_tail, 0, kWide);
  return table_of(kind, erf, tanh, quick);
}
template const GeluTable<2>& gelu_tail_table(Activation);
template const GeluTable<3>& gelu_tail_table(Activation);
template const GeluTable<4>& gelu_tail_table(Activation);

template <int kDegree>
const GeluTable<kDegree>& gelu_slope_table(Activation kind) {
  static const auto erf = make_table<kDegree>(erf_slope, 0.5f, kNarrow),
                    tanh = make_table<kDegree>(tanh_slope, 0.5f, kNarrow),
                    quick = make_table<kDegree>(quick_slope, 0.5f, kWide);
  return table_of(kind, erf, tanh, quick);
}
template const GeluTable<2>& gelu_slope_table(Activation);
template const GeluTable<3>& gelu_slope_table(Activation);
template const GeluTable<4>& gelu_slope_table(Activation);
template const GeluTable<5>& gelu_slope_table(Activation);

}  // namespace vit
