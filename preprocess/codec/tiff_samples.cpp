#include "preprocess/codec/tiff_samples.h"

#include <algorithm>
#include <cstring>

#include "preprocess/codec/color.h"

namespace vit::codec {
namespace {

/// Sample i of a row as libtiff hands it out: 16 bits in the machine's order, others from the upper bit on.
int sample_at(const uint8_t* row, int64_t i, int64_t bits) {
  if (bits == 8) return row[i];
  if (bits == 16) {
    uint16_t value = 0;
    std::memcpy(&value, row + i * 2, sizeof(value));
    return value;
  }
  const int64_t first = i * bits;
  if (bits < 8) return row[first / 8] >> (8 - bits - first % 8) & ((1 << bits) - 1);
  const int pair = row[first / 8] << 8 | row[first / 8 + 1];  // 12 bits: begins at bit 0 or 4 of a byte
  return pair >> (4 - first % 8) & 0xFFF;
}

}  // namespace

void read_tiff_row(const TiffSamples& samples, const uint8_t* row, int64_t width, int64_t step, int64_t count,
                   uint8_t* out, int64_t out_step) {
  const int64_t bits = samples.bits;
  const bool number = samples.color == TiffColor::palette;
  const int stretch = bits < 8 && !number ? 255 / ((1 << bits) - 1) : 1;
  const int64_t drop = bits > 8 ? bits - 8 : 0;
  for (int64_t x = 0; x < width; ++x)
    for (int64_t c = 0; c < count; ++c)
      out[x * out_step + c] = static_cast<uint8_t>((sample_at(row, x * step + c, bits) >> drop) * stretch);
}

void clip_tiff_row(const TiffSamples& samples, const uint8_t* row, int64_t width, int64_t step, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x)
    out[x] = static_cast<uint8_t>(std::min(sample_at(row, x * step, samples.bits), 255));
}

void tiff_row_to_rgb(const TiffSamples& samples, const uint8_t* row, int64_t width, uint8_t* rgb) {
  const int64_t used = samples.used(), color_samples = samples.color_samples();
  if (samples.color == TiffColor::rgb && !samples.multiplied) {
    std::copy_n(row, width * 3, rgb);
    return;
  }
  for (int64_t x = 0; x < width; ++x, row += used, rgb += 3) {
    switch (samples.color) {
      case TiffColor::gray:
        std::fill_n(rgb, 3, row[0]);
        break;
      case TiffColor::inverted_gray:
        std::fill_n(rgb, 3, static_cast<uint8_t>(255 - row[0]));
        break;
      case TiffColor::palette:
        std::copy_n(samples.colors.data() + int64_t{row[0]} * 3, 3, rgb);
        break;
      case TiffColor::rgb:
        std::copy_n(row, 3, rgb);
        break;
      case TiffColor::ycbcr:
        ycbcr_to_rgb(row, rgb);
        break;
      case TiffColor::cmyk:
        cmyk_to_rgb(row, rgb);
        break;
    }
    if (samples.multiplied)
      for (int c = 0; c < 3; ++c) rgb[c] = unpremultiply(rgb[c], row[color_samples]);
  }
}

}  // namespace vit::codec
