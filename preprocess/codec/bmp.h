// Run lengths of BMP files.
#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/codec/byte_view.h"

namespace vit::codec {

/// Palette numbers [height, width] in the order of the file, from runs of 8 or 4 bits (`nibbles`) that begin at `at`;
/// what they skip is 0. Throws Error (data) when they end before the last row.
std::vector<uint8_t> decode_bmp_runs(const ByteView& file, int64_t at, bool nibbles, int64_t width, int64_t height);

}  // namespace vit::codec
