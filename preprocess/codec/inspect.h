// What an image file says of itself, checked before any decoder sees the file. The decoders below OpenCV fill what
// is missing in a cut file with gray, print to stderr, or take memory for whatever size the header claims.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "preprocess/codec/byte_view.h"
#include "preprocess/image.h"

namespace vit::codec {

struct FileInfo {
  std::string_view format;
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rewritten;  // when not empty: what the decoder gets in place of the file
};

/// Knows the format by content. Throws Error (data) when it is none of JPEG, PNG, BMP, WebP, TIFF and PNM, or when
/// the file is not whole, or its picture is larger than the limits allow.
FileInfo inspect(std::span<const uint8_t> bytes, std::string_view name, const DecodeLimits& limits);

// One a format; each checks the size as soon as it knows it, so that what follows cannot overflow.
FileInfo inspect_jpeg(const ByteView& file, const DecodeLimits& limits);
FileInfo inspect_png(const ByteView& file, const DecodeLimits& limits);
FileInfo inspect_bmp(const ByteView& file, const DecodeLimits& limits);
FileInfo inspect_webp(const ByteView& file, const DecodeLimits& limits);
FileInfo inspect_tiff(const ByteView& file, const DecodeLimits& limits);
FileInfo inspect_pnm(const ByteView& file, const DecodeLimits& limits);

/// Throws unless width and height are 1 .. kMaxSide and their product is within the limit.
void check_size(const ByteView& file, const FileInfo& info, const DecodeLimits& limits);

}  // namespace vit::codec
