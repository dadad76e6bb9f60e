#include <cstdlib>

#include "preprocess/codec/inspect.h"

namespace vit::codec {

FileInfo inspect_bmp(const ByteView& file, const DecodeLimits& limits) {
  constexpr int64_t kOs2Header = 12;
  constexpr int64_t kRle8 = 1, kRle4 = 2, kBitFields = 3;
  const int64_t pixels_at = file.u32_le(10);
  const int64_t header_size = file.u32_le(14);
  const bool os2 = header_size == kOs2Header;
  if (!os2 && header_size < 36)
    file.reject("header of ", header_size, " bytes, needs 12 or at least 36; the file is damaged");

  FileInfo info;
  info.width = os2 ? file.u16_le(18) : file.i32_le(18);
  info.height = os2 ? file.u16_le(20) : std::abs(file.i32_le(22));  // negative: rows run from the top
  const int64_t bits = file.u16_le(os2 ? 24 : 28);
  const int64_t compression = os2 ? 0 : file.u32_le(30);
  if (bits < 1 || bits > 32) file.reject("needs 1 to 32 bits a pixel, has ", bits);
  if (compression > kBitFields) file.reject("needs compression 0 to 3, has ", compression);
  check_size(file, info, limits);
  if (compression != kRle8 && compression != kRle4) {
    file.require(pixels_at, (info.width * bits + 31) / 32 * 4 * info.height);
  }
  return info;
}

}  // namespace vit::codec
