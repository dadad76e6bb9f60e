#include <array>

#include "preprocess/codec/inspect.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1u) != 0 ? 0xEDB88320u : 0u);
    table[i] = c;
  }
  return table;
}

/// The CRC-32 of ISO 3309, as the PNG specification's annex D defines it.
uint32_t crc32(std::span<const uint8_t> bytes) {
  static constexpr auto kTable = make_crc_table();
  uint32_t c = 0xFFFFFFFFu;
  for (const uint8_t byte : bytes) c = kTable[(c ^ byte) & 0xFFu] ^ (c >> 8);
  return ~c;
}

}  // namespace

/// Checks every chunk to IEND, and hands on only those that make the RGB pixels: libpng prints its opinion on
/// damaged profiles and texts to stderr, and transparency is dropped anyway.
FileInfo inspect_png(const ByteView& file, const DecodeLimits& limits) {
  constexpr int64_t kSignature = 8, kFrame = 12;  // a chunk: length, type, data, CRC
  FileInfo info;
  const auto signature = file.part(0, kSignature);
  info.rewritten.reserve(static_cast<size_t>(file.size()));
  info.rewritten.assign(signature.begin(), signature.end());
  int64_t at = kSignature;
  bool has_data = false;
  for (bool end = false; !end;) {
    const int64_t length = file.u32_be(at);
    if (at == kSignature) {
      if (!file.has(at + 4, "IHDR"sv) || length != 13) file.reject("does not begin with an IHDR chunk of 13 bytes");
      info.width = file.u32_be(at + 8);
      info.height = file.u32_be(at + 12);
      check_size(file, info, limits);
    }
    file.require(at, kFrame + length);
    end = file.has(at + 4, "IEND"sv);
    const bool data = file.has(at + 4, "IDAT"sv);
    has_data |= data;
    constexpr int64_t kAncillary = 0x20;  // a lower-case first letter
    if (end || data || file.has(at + 4, "IHDR"sv) || file.has(at + 4, "PLTE"sv)) {
      if (crc32(file.part(at + 4, 4 + length)) != file.u32_be(at + 8 + length)) {
        file.reject("wrong checksum in the chunk at offset ", at, "; the file is damaged");
      }
      const auto chunk = file.part(at, kFrame + length);
      info.rewritten.insert(info.rewritten.end(), chunk.begin(), chunk.end());
    } else if ((file.u8(at + 4) & kAncillary) == 0) {
      file.reject("chunk of unknown type at offset ", at, "; the file is damaged");
    }
    at += kFrame + length;
  }
  if (!has_data) file.reject("no picture before the end chunk; the file is damaged");
  return info;
}

}  // namespace vit::codec
