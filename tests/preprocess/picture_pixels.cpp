// picture_pixels [--exif-rotate] < PATHS: for each path a line "ok WIDTH HEIGHT HASH" (the 64-bit FNV-1a of the RGB
// bytes) or "error TEXT". For tests/preprocess/compare_pictures.py.
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "preprocess/image.h"
#include "tests/support/pixels.h"
#include "vit/core/error.h"

int main(int argc, char** argv) {
  const bool rotate = argc > 1 && std::string_view(argv[1]) == "--exif-rotate";
  for (std::string path; std::getline(std::cin, path);) {
    try {
      vit::Image image = vit::read_image(path);
      if (rotate) image = vit::upright(std::move(image));
      uint64_t hash = 0xCBF29CE484222325u;
      for (const uint8_t byte : vit::test::pixels_of(image)) hash = (hash ^ byte) * 0x100000001B3u;
      std::cout << "ok " << image.rgb.cols << ' ' << image.rgb.rows << ' ' << std::hex << std::setfill('0')
                << std::setw(16) << hash << std::dec << '\n';
    } catch (const vit::Error& error) {
      std::cout << "error " << error.what() << '\n';
    }
  }
}
