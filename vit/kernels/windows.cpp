#include "vit/kernels/windows.h"

#include "vit/core/error.h"

namespace vit {

void check_windows(const char* what, const Windows& w) {
  if (w.side < 1 || w.side > Windows::kMaxSide)
    fail(ErrorKind::internal, "[", what, ": side] needs 1 to ", Windows::kMaxSide, ", has ", w.side);
  if (w.stride < 1) fail(ErrorKind::internal, "[", what, ": stride] needs at least 1, has ", w.stride);
  if (w.padding < 0 || w.padding >= w.side)
    fail(ErrorKind::internal, "[", what, ": padding] needs 0 to ", w.side - 1, ", has ", w.padding);
  if (w.height < 1 || w.width < 1 || w.height + 2 * w.padding < w.side || w.width + 2 * w.padding < w.side)
    fail(ErrorKind::internal, "[", what, "] needs pictures of at least ", w.side - 2 * w.padding, " by ",
         w.side - 2 * w.padding, ", has ", w.height, " by ", w.width);
}

Taps inputs_of(const Windows& w, int64_t row) {
  const int64_t picture = row / w.out_pixels(), pixel = row % w.out_pixels();
  const int64_t top = pixel / w.out_width() * w.stride - w.padding, left = pixel % w.out_width() * w.stride - w.padding;
  Taps taps;
  for (int64_t ky = 0; ky < w.side; ++ky)
    for (int64_t kx = 0; kx < w.side; ++kx) {
      const int64_t y = top + ky, x = left + kx;
      if (y >= 0 && y < w.height && x >= 0 && x < w.width)
        taps.add(ky * w.side + kx, (picture * w.height + y) * w.width + x);
    }
  return taps;
}

Taps outputs_of(const Windows& w, int64_t row) {
  const int64_t picture = row / w.pixels(), pixel = row % w.pixels();
  const int64_t out_height = w.out_height(), out_width = w.out_width();
  Taps taps;
  for (int64_t ky = 0; ky < w.side; ++ky)
    for (int64_t kx = 0; kx < w.side; ++kx) {
      const int64_t from_top = pixel / w.width + w.padding - ky, from_left = pixel % w.width + w.padding - kx;
      if (from_top < 0 || from_left < 0 || from_top % w.stride != 0 || from_left % w.stride != 0) continue;
      const int64_t y = from_top / w.stride, x = from_left / w.stride;
      if (y < out_height && x < out_width) taps.add(ky * w.side + kx, (picture * out_height + y) * out_width + x);
    }
  return taps;
}

}  // namespace vit
