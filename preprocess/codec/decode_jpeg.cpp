#include "preprocess/codec/decode_jpeg.h"

#include <turbojpeg.h>

#include <memory>

namespace vit::codec {
namespace {

struct Close {
  void operator()(void* handle) const { tjDestroy(handle); }
};

}  // namespace

std::optional<Image> decode_jpeg(std::span<const uint8_t> bytes) {
  thread_local const std::unique_ptr<void, Close> decoder(tjInitDecompress());
  int width = 0, height = 0, subsampling = 0, colors = 0;
  const auto size = static_cast<unsigned long>(bytes.size());
  if (!decoder || tjDecompressHeader3(decoder.get(), bytes.data(), size, &width, &height, &subsampling, &colors) != 0)
    return std::nullopt;
  if (colors == TJCS_CMYK || colors == TJCS_YCCK) return std::nullopt;
  Image image{width, height,
              std::vector<uint8_t>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3)};
  const int status = tjDecompress2(decoder.get(), bytes.data(), size, image.pixels.data(), width, 0, height, TJPF_RGB,
                                   TJFLAG_ACCURATEDCT);
  if (status != 0 && tjGetErrorCode(decoder.get()) == TJERR_FATAL) return std::nullopt;
  return image;
}

}  // namespace vit::codec
