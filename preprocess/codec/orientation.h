// EXIF orientations: 1 is upright, 2 to 8 say how to turn or mirror the stored rows.
#pragma once

#include <cstdint>
#include <span>

#include "preprocess/image.h"

namespace vit::codec {

/// The orientation that an EXIF block states; 1 when it states none, or none of 1 to 8.
int exif_orientation(std::span<const uint8_t> exif);

/// The picture as it is meant to be seen; other numbers than 2 to 8 change nothing.
Image turned_upright(Image image, int orientation);

}  // namespace vit::codec
