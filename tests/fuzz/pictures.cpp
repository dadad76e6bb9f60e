// Picture files, a target a format: what does not begin as one of it is passed over.
#include <string_view>

#include "preprocess/image.h"
#include "tests/fuzz/target.h"

namespace vit::fuzz {
namespace {

constexpr DecodeLimits kLimits{.max_bytes = 1 << 20, .max_pixels = 1 << 18};

/// 0 x 0 where the header is refused.
ImageSize size_of(Bytes bytes) {
  try {
    return stated_image_size(bytes, "picture", kLimits);
  } catch (const Error& error) {
    expect(error.kind() != ErrorKind::internal, error.what());
    return {};
  }
}

void read_picture(Bytes bytes, std::string_view start) {
  if (!text_of(bytes).starts_with(start)) return;
  const ImageSize size = size_of(bytes);
  const Image image = decode_image(bytes, "picture", kLimits);
  const bool turned = image.rgb.cols == size.height && image.rgb.rows == size.width;  // TIFF
  expect((image.rgb.cols == size.width && image.rgb.rows == size.height) || turned, "the size is as stated");
  expect(image.orientation >= 1 && image.orientation <= 8, "an orientation is one of eight");
  upright(image);
}

}  // namespace

void read_jpeg(Bytes bytes) { read_picture(bytes, "\xff\xd8\xff"); }
void read_png(Bytes bytes) { read_picture(bytes, "\x89PNG"); }
void read_webp(Bytes bytes) { read_picture(bytes, "RIFF"); }
void read_bmp(Bytes bytes) { read_picture(bytes, "BM"); }
void read_pnm(Bytes bytes) { read_picture(bytes, "P"); }
void read_tiff(Bytes bytes) {
  read_picture(bytes, "II");
  read_picture(bytes, "MM");
}

}  // namespace vit::fuzz
