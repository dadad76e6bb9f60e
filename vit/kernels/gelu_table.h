// Piecewise polynomials for GELU, sized for processors that look a float up in a table of 32 (AVX-512).
//
// All forms of GELU are a simple function plus an even one: with Q(a) = gelu(-a) / -a for a >= 0,
//   gelu(x) = max(x, 0) - |x| Q(|x|),    gelu'(x) = 1/2 + sign(x) K(|x|),  K(a) = gelu'(a) - 1/2.
// Where the tables end Q is 0 and K is 1/2.
#pragma once

#include "vit/kernels/gemm.h"

namespace vit {

/// f(a) for 0 <= a <= end(): the sum of c[i][n] a^i, n = round(a / width). Powers of a itself, not of its distance from
/// the middle of the segment: what cancels is small against 1, and two operations are saved.
template <int kDegree>
struct GeluTable {
  static constexpr int kSegments = 32;

  float end() const { return width * (kSegments - 1); }

  float width;  // of a segment: the tail of quick GELU is twice as long as those of the others
  alignas(64) float c[kDegree + 1][kSegments];
};

/// Q, of degree 2 or 3: gelu(x) within 1e-5 or 3e-7; quick GELU has as much with 3 or 4. Made by the first call.
template <int kDegree>
const GeluTable<kDegree>& gelu_tail_table(Activation kind);

/// K, of degree 2 or 4: gelu'(x) within 6e-5 or 4e-7; quick GELU has as much with 3 or 5. Made by the first call.
template <int kDegree>
const GeluTable<kDegree>& gelu_slope_table(Activation kind);

}  // namespace vit
