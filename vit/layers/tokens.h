// Where the tokens of an image lie.
#pragma once

#include <cstdint>

namespace vit {

/// First the prefix (class token, registers), which has no place in the picture, then a grid, row by row.
struct Tokens {
  int64_t prefix = 0;
  int64_t rows = 0;
  int64_t cols = 0;

  /// Those of the grid.
  int64_t patches() const { return rows * cols; }
  /// N.
  int64_t count() const { return prefix + patches(); }

  bool operator==(const Tokens&) const = default;
};

}  // namespace vit
