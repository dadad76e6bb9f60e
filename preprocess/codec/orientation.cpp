#include "preprocess/codec/orientation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "preprocess/codec/byte_view.h"

namespace vit::codec {

int exif_orientation(std::span<const uint8_t> exif) {
  using namespace std::string_view_literals;
  constexpr int64_t kEntry = 12, kOrientation = 274;
  const ByteView file(exif, "", "EXIF");
  const bool little = file.has(0, "II*\0"sv);
  if (file.size() < 8 || (!little && !file.has(0, "MM\0*"sv))) return 1;
  const auto u16 = [&](int64_t at) { return little ? file.u16_le(at) : file.u16_be(at); };
  const int64_t directory = little ? file.u32_le(4) : file.u32_be(4);
  if (directory > file.size() - 2) return 1;
  const int64_t fields = std::min(u16(directory), (file.size() - directory - 2) / kEntry);
  for (int64_t entry = directory + 2; entry < directory + 2 + fields * kEntry; entry += kEntry) {
    if (u16(entry) != kOrientation) continue;
    const int64_t value = u16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image turned_upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swaps = orientation >= 5;  // rows become columns
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out{swaps ? image.height : image.width, swaps ? image.width : image.height,
            std::vector<uint8_t>(image.pixels.size())};
  uint8_t* to = out.pixels.data();
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x, to += 3) {
      const int64_t column = swaps ? y : x, row = swaps ? x : y;
      const int64_t from_x = from_right ? image.width - 1 - column : column;
      const int64_t from_y = from_bottom ? image.height - 1 - row : row;
      std::copy_n(image.pixels.data() + (from_y * image.width + from_x) * 3, 3, to);
    }
  }
  return out;
}

}  // namespace vit::codec
