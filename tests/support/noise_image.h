// A picture whose pixels look random but are the same everywhere, also in the scripts that make goldens.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/pixels.h"

namespace vit::test {

inline Image noise_image(int64_t width, int64_t height) {
  std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
  uint32_t i = 0;
  for (uint8_t& pixel : pixels) {
    uint32_t v = i++ * 2654435761u + 12345u;
    v = (v ^ (v >> 15)) * 2246822519u;
    pixel = static_cast<uint8_t>(v >> 24);
  }
  return image_of(width, height, pixels);
}

}  // namespace vit::test
