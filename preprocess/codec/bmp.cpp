#include "preprocess/codec/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <vector>

#include "preprocess/codec/codecs.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

constexpr int64_t kFileHeader = 14, kMasksAt = kFileHeader + 40;
constexpr int64_t kOs2 = 12, kInfo = 40, kV2 = 52, kV3 = 56, kOs2V2 = 64, kV4 = 108, kV5 = 124;
constexpr int64_t kPlain = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6;

using Palette = std::array<std::array<uint8_t, 3>, 256>;

struct Header {
  int64_t size = 0, width = 0, height = 0, bits = 0, compression = kPlain, colors = 0;
  bool from_top = false;

  bool has_palette() const { return bits <= 8; }
  bool has_masks() const { return compression == kBitFields || compression == kAlphaBitFields; }
  int64_t palette_entry() const { return size == kOs2 ? 3 : 4; }
  int64_t row_bytes() const { return (width * bits + 31) / 32 * 4; }
};

void check_kind(const ByteView& file, const Header& header) {
  const int64_t bits = header.bits, compression = header.compression;
  if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    file.reject("needs 1, 2, 4, 8, 16, 24 or 32 bits a pixel, has ", bits);
  if (header.size == kOs2V2 && compression > kRle4) file.reject("OS/2 compression ", compression, " is not read");
  if (compression == 4 || compression == 5)
    file.reject("holds a ", compression == 4 ? "JPEG" : "PNG", ", which is not read");
  if (compression != kPlain && compression != kRle8 && compression != kRle4 && !header.has_masks())
    file.reject("needs compression 0 to 3 or 6, has ", compression);
  const bool fits = compression == kRle8   ? bits == 8
                    : compression == kRle4 ? bits == 4
                                           : !header.has_masks() || bits >= 16;
  if (!fits) file.reject("compression ", compression, " does not go with ", bits, " bits a pixel; the file is damaged");
}

Header read_header(const ByteView& file, const DecodeLimits& limits) {
  Header header{.size = file.u32_le(kFileHeader)};
  const bool os2 = header.size == kOs2;
  if (!os2 && header.size != kInfo && header.size != kV2 && header.size != kV3 && header.size != kOs2V2 &&
      header.size != kV4 && header.size != kV5)
    file.reject("header of ", header.size, " bytes, needs 12, 40, 52, 56, 64, 108 or 124; the file is damaged");
  header.width = os2 ? file.u16_le(18) : file.i32_le(18);
  const int64_t height = os2 ? file.u16_le(20) : file.i32_le(22);
  header.from_top = height < 0;
  header.height = std::abs(height);
  checked_size(file, header.width, header.height, limits);
  header.bits = file.u16_le(os2 ? 24 : 28);
  if (!os2) {
    file.require(kFileHeader, header.size);
    header.compression = file.u32_le(30);
    header.colors = file.u32_le(46);
  }
  check_kind(file, header);
  if (header.has_palette() && header.colors == 0) header.colors = int64_t{1} << header.bits;
  if (header.has_palette() && header.colors > 65536)
    file.reject("palette of ", header.colors, " colours; the file is damaged");
  return header;
}

/// Where the palette begins: behind the header and, with an old header, its masks.
int64_t palette_at(const Header& header) {
  const int64_t masks = header.size == kInfo && header.has_masks() ? (header.compression == kBitFields ? 12 : 16) : 0;
  return kFileHeader + header.size + masks;
}

/// Numbers that it does not have are black.
Palette read_palette(const ByteView& file, const Header& header) {
  Palette palette{};
  for (int64_t i = 0; i < std::min<int64_t>(header.colors, 256); ++i) {
    const auto bgr = file.part(palette_at(header) + i * header.palette_entry(), 3);
    palette[static_cast<size_t>(i)] = {bgr[2], bgr[1], bgr[0]};
  }
  return palette;
}

/// Some writers forget the palette, or all, in the offset of the pixels.
int64_t pixels_at(const ByteView& file, const Header& header) {
  const int64_t stated = file.u32_le(10);
  const int64_t palette = header.has_palette() ? header.colors * header.palette_entry() : 0;
  if (stated == 0) return palette_at(header) + palette;
  return stated == kFileHeader + header.size ? stated + palette : stated;
}

/// One colour's bits in a pixel.
struct Field {
  uint32_t mask = 0;

  uint8_t value(uint32_t pixel) const {
    if (mask == 0) return 0;
    const int shift = std::countr_zero(mask);
    const uint64_t most = mask >> shift;
    return static_cast<uint8_t>(((pixel & mask) >> shift) * uint64_t{255} / most);
  }
};
using Fields = std::array<Field, 3>;

Fields read_fields(const ByteView& file, const Header& header) {
  if (!header.has_masks())
    return header.bits == 16 ? Fields{{{0x7C00}, {0x3E0}, {0x1F}}} : Fields{{{0xFF0000}, {0xFF00}, {0xFF}}};
  Fields fields;
  uint32_t all = 0;
  for (size_t c = 0; c < 3; ++c) {
    const auto mask = static_cast<uint32_t>(file.u32_le(kMasksAt + static_cast<int64_t>(c) * 4));
    const uint32_t most = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if ((most & (most + 1)) != 0 || (all & mask) != 0)
      file.reject("colour mask ", mask, " is not one run of bits of its own; the file is damaged");
    if (header.bits < 32 && mask >> header.bits != 0)
      file.reject("colour mask ", mask, " is wider than ", header.bits, " bits; the file is damaged");
    all |= mask;
    fields[c] = {mask};
  }
  // Some writers leave the masks empty and mean the usual order.
  return all == 0 && header.bits == 32 ? Fields{{{0xFF0000}, {0xFF00}, {0xFF}}} : fields;
}

void read_indices(const Header& header, const uint8_t* row, const Palette& palette, uint8_t* rgb) {
  const auto bits = static_cast<int>(header.bits);
  const int64_t a_byte = 8 / bits;
  for (int64_t x = 0; x < header.width; ++x, rgb += 3) {
    const int shift = 8 - bits * static_cast<int>(x % a_byte + 1);
    std::copy_n(palette[static_cast<size_t>(row[x / a_byte] >> shift & ((1 << bits) - 1))].data(), 3, rgb);
  }
}

void read_fields_row(const Header& header, const uint8_t* row, const Fields& fields, uint8_t* rgb) {
  const int64_t pixel_bytes = header.bits / 8;
  for (int64_t x = 0; x < header.width; ++x, row += pixel_bytes) {
    uint32_t pixel = 0;
    for (int64_t i = pixel_bytes; i-- > 0;) pixel = pixel << 8 | row[i];
    for (const Field& field : fields) *rgb++ = field.value(pixel);
  }
}

void read_bgr(const Header& header, const uint8_t* row, uint8_t* rgb) {
  const int64_t pixel_bytes = header.bits / 8;
  for (int64_t x = 0; x < header.width; ++x, row += pixel_bytes, rgb += 3) {
    rgb[0] = row[2];
    rgb[1] = row[1];
    rgb[2] = row[0];
  }
}

}  // namespace

ImageSize size_of_bmp(const ByteView& file, const DecodeLimits& limits) {
  const Header header = read_header(file, limits);
  return {header.width, header.height};
}

Image decode_bmp(const ByteView& file, const DecodeLimits& limits) {
  const Header header = read_header(file, limits);
  const int64_t at = pixels_at(file, header);
  const bool runs = header.compression == kRle8 || header.compression == kRle4;
  if (!runs) file.require(at, header.row_bytes() * header.height);
  const Palette palette = header.has_palette() ? read_palette(file, header) : Palette{};
  const Fields fields = header.has_palette() ? Fields{} : read_fields(file, header);
  cv::Mat picture = new_picture(file, header.width, header.height, limits);
  std::vector<uint8_t> indices;
  if (runs) indices = decode_bmp_runs(file, at, header.compression == kRle4, header.width, header.height);

  const bool plain_bgr = header.compression == kPlain && header.bits >= 24;
  for (int64_t y = 0; y < header.height; ++y) {
    uint8_t* rgb = picture.ptr(static_cast<int>(header.from_top ? y : header.height - 1 - y));
    if (runs) {
      for (int64_t x = 0; x < header.width; ++x)
        std::copy_n(palette[indices[static_cast<size_t>(y * header.width + x)]].data(), 3, rgb + x * 3);
      continue;
    }
    const uint8_t* row = file.data() + at + y * header.row_bytes();
    if (header.has_palette()) {
      read_indices(header, row, palette, rgb);
    } else if (plain_bgr) {
      read_bgr(header, row, rgb);
    } else {
      read_fields_row(header, row, fields, rgb);
    }
  }
  return image_from_rgb(picture);
}

}  // namespace vit::codec
