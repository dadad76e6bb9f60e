// Rotary positions: Su et al., arXiv:2104.09864. Pairs of the elements of a head are turned by angles that stand in
// tables; which angles is the caller's matter. Runs on the calling thread.
#pragma once

#include "vit/core/matrix.h"

namespace vit {

/// Which elements of a head turn together.
enum class RotaryPairs {
  adjacent,  // 2 k and 2 k + 1
  halves,    // k and k + K / 2
};

struct Rotation {
  RotaryPairs pairs = RotaryPairs::adjacent;
  TensorView<const float> cosine, sine;  // [M, K / 2]: row i is that of x's row i, column k that of pair k
  bool inverse = false;                  // by the negative angles, which is also the way of gradients back
};

/// x [M, H K], fp32 or bf16, in place: (a, b) becomes (a cos - b sin, b cos + a sin) for each pair of each head. All
/// heads that lie side by side in a row have its angles, so queries and keys of one product go in one call; K is twice
/// the tables' width. A row's bits do not depend on the others. Throws Error (internal) for shapes or types that do
/// not fit.
void rotate_rows(Matrix x, const Rotation& rotation);

}  // namespace vit
