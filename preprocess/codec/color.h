// Samples of other colour models to RGB8, in the integer arithmetic of Pillow.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vit::codec {

/// a * b / 255, rounded.
inline int scale_255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// Ink as printed: 255 is full.
inline void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb) {
  const int white = 255 - cmyk[3];
  for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(std::clamp(white - scale_255(cmyk[c], white), 0, 255));
}

/// JFIF's matrix in steps of 1/64.
inline void ycbcr_to_rgb(const uint8_t* ycbcr, uint8_t* rgb) {
  const auto part = [](double factor, int value) { return static_cast<int>(factor * (value - 128) * 64 + 0.5); };
  const int y = ycbcr[0], cb = ycbcr[1], cr = ycbcr[2];
  rgb[0] = static_cast<uint8_t>(std::clamp(y + (part(1.402, cr) >> 6), 0, 255));
  rgb[1] = static_cast<uint8_t>(std::clamp(y + ((part(-0.34414, cb) + part(-0.71414, cr)) >> 6), 0, 255));
  rgb[2] = static_cast<uint8_t>(std::clamp(y + (part(1.772, cb) >> 6), 0, 255));
}

/// A colour that was multiplied by its alpha, back to itself.
inline uint8_t unpremultiply(int value, int alpha) {
  return static_cast<uint8_t>(alpha == 0 ? 0 : std::min(255, value * 255 / alpha));
}

}  // namespace vit::codec
