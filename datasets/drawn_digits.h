// A data set where none is at hand: the digits 0 to 9 drawn in several fonts, bent and blurred by chance.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vit {

struct Image;

struct DrawnDigitsOptions {
  int64_t train = 400;  // pictures a digit
  int64_t test = 100;
  int64_t size = 20;  // side in pixels, 8 to 256
  uint64_t seed = 0;
};

/// Picture `index` of a digit 0..9, a bright figure on black, by (seed, digit, index) alone.
Image draw_digit(int64_t digit, int64_t index, const DrawnDigitsOptions& options);

/// Writes OUT/train/<digit>/NNNN.png and OUT/test/...; no picture is in both. Throws Error (usage) for sizes out of
/// range, or when `out` exists.
void draw_digits(const std::filesystem::path& out, const DrawnDigitsOptions& options);

}  // namespace vit
