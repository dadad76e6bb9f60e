// Square windows over pictures whose pixels are rows, what convolutions and pooling share: pixel (y, x) of picture b is
// row (b H + y) W + x of a matrix [B H W, C], and an output pixel likewise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vit {

struct Windows {
  static constexpr int64_t kMaxSide = 11;

  int64_t height = 0, width = 0;  // of a picture
  int64_t side = 1;               // of a window
  int64_t stride = 1;
  int64_t padding = 0;  // pixels around the picture that are not there, less than the side

  int64_t taps() const { return side * side; }
  int64_t out_height() const { return (height + 2 * padding - side) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - side) / stride + 1; }
  int64_t pixels() const { return height * width; }
  int64_t out_pixels() const { return out_height() * out_width(); }
};

/// Throws Error (internal) for windows that do not fit into the picture, a side beyond kMaxSide, a stride below 1 or a
/// padding that is not below the side; `what` is the function.
void check_windows(const char* what, const Windows& windows);

/// Pairs of a place in a window, ky side + kx, and the row at the other end; in the order of places.
struct Taps {
  struct Tap {
    int64_t index, row;
  };
  std::array<Tap, static_cast<std::size_t>(Windows::kMaxSide* Windows::kMaxSide)> list;
  int64_t count = 0;

  const Tap* begin() const { return list.data(); }
  const Tap* end() const { return list.data() + count; }
  void add(int64_t index, int64_t row) { list[static_cast<std::size_t>(count++)] = {index, row}; }
};

/// The input pixels of the output pixel `row`: those that are there, at least one.
Taps inputs_of(const Windows& windows, int64_t row);
/// The output pixels whose windows hold the input pixel `row`; maybe none.
Taps outputs_of(const Windows& windows, int64_t row);

}  // namespace vit
