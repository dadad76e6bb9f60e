// How the samples of a TIFF lie in its pieces (strips or tiles) and what colour they make.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vit::codec {

enum class TiffColor { gray, inverted_gray, palette, rgb, ycbcr, cmyk };

struct TiffSamples {
  TiffColor color = TiffColor::gray;
  int64_t bits = 8;             // of each sample: 1, 2, 4, 8, 12 or 16
  int64_t a_pixel = 1;          // samples
  bool multiplied = false;      // the sample behind the colour is an alpha that the colour was multiplied by
  std::vector<uint8_t> colors;  // palette: RGB of each number

  int64_t color_samples() const {
    return color == TiffColor::cmyk ? 4 : color == TiffColor::rgb || color == TiffColor::ycbcr ? 3 : 1;
  }
  bool deep_gray() const {
    return bits > 8 && !multiplied && (color == TiffColor::gray || color == TiffColor::inverted_gray);
  }
  /// Samples that make the pixel; those behind them are dropped.
  int64_t used() const { return color_samples() + (multiplied ? 1 : 0); }
};

/// A row of `width` pixels with `step` samples each, from bytes: the samples first .. first + count of each pixel, to
/// `out` with `out_step` samples a pixel. Samples become 8 bits: fewer are stretched to 0..255 (palette numbers are
/// not), of more the upper 8 stay.
void read_tiff_row(const TiffSamples& samples, const uint8_t* row, int64_t width, int64_t step, int64_t count,
                   uint8_t* out, int64_t out_step);

/// The first sample of `width` pixels with `step` samples each, of more than 8 bits: those above 255 as 255.
void clip_tiff_row(const TiffSamples& samples, const uint8_t* row, int64_t width, int64_t step, uint8_t* out);

/// RGB of `width` pixels with samples.used() samples each.
void tiff_row_to_rgb(const TiffSamples& samples, const uint8_t* row, int64_t width, uint8_t* rgb);

}  // namespace vit::codec
