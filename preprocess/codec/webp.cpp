#include "preprocess/codec/inspect.h"

namespace vit::codec {

using namespace std::string_view_literals;

FileInfo inspect_webp(const ByteView& file, const DecodeLimits& limits) {
  constexpr int64_t kChunk = 12, kBody = 20;  // first chunk behind "RIFF", size, "WEBP"; its data
  FileInfo info;
  if (file.has(kChunk, "VP8X"sv)) {
    constexpr int64_t kAnimation = 2;
    if ((file.u8(kBody) & kAnimation) != 0) file.reject("needs a still picture, is an animation");
    info.width = file.u24_le(kBody + 4) + 1;
    info.height = file.u24_le(kBody + 7) + 1;
  } else if (file.has(kChunk, "VP8L"sv)) {
    const int64_t sides = file.u32_le(kBody + 1);  // 14 bits each
    info.width = (sides & 0x3FFF) + 1;
    info.height = (sides >> 14 & 0x3FFF) + 1;
  } else if (file.has(kChunk, "VP8 "sv)) {
    info.width = file.u16_le(kBody + 6) & 0x3FFF;  // behind the frame tag and the start code; 2 bits are a scale
    info.height = file.u16_le(kBody + 8) & 0x3FFF;
  } else {
    file.reject("first chunk is none of VP8, VP8L and VP8X; the file is damaged");
  }
  check_size(file, info, limits);
  file.require(0, 8 + file.u32_le(4));
  return info;
}

}  // namespace vit::codec
