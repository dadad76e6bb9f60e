// JPEG pixels through libjpeg-turbo, the decoder below OpenCV and Pillow, without what OpenCV's reader draws in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "preprocess/image.h"

namespace vit::codec {

/// The picture in RGB, to the bytes of OpenCV and Pillow (accurate DCT, smooth chroma); none for CMYK and what
/// libjpeg-turbo refuses. Damage inside that leaves the file decodable is not seen.
std::optional<Image> decode_jpeg(std::span<const uint8_t> bytes);

}  // namespace vit::codec
