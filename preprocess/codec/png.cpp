#include <spng.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "preprocess/codec/codecs.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

constexpr int64_t kSignature = 8, kFrame = 12;  // a chunk: length, type, data, CRC

struct Close {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

/// The chunks that make the RGB pixels, to the end chunk. Others (profiles, texts, the frames of an animation,
/// transparency) change no pixel here, and damage in them does not matter.
std::vector<uint8_t> pixel_chunks(const ByteView& file) {
  constexpr int64_t kAncillary = 0x20;  // a lower-case first letter
  const auto signature = file.part(0, kSignature);
  std::vector<uint8_t> chunks;
  chunks.reserve(static_cast<size_t>(file.size()));
  chunks.assign(signature.begin(), signature.end());
  int64_t at = kSignature;
  bool has_data = false;
  for (bool end = false; !end;) {
    const int64_t length = file.u32_be(at);
    file.require(at, kFrame + length);
    end = file.has(at + 4, "IEND"sv);
    const bool data = file.has(at + 4, "IDAT"sv);
    has_data |= data;
    if (end || data || file.has(at + 4, "IHDR"sv) || file.has(at + 4, "PLTE"sv)) {
      const auto chunk = file.part(at, kFrame + length);
      chunks.insert(chunks.end(), chunk.begin(), chunk.end());
    } else if ((file.u8(at + 4) & kAncillary) == 0) {
      file.reject("chunk of unknown type at offset ", at, "; the file is damaged");
    }
    at += kFrame + length;
  }
  if (!has_data) file.reject("no picture before the end chunk; the file is damaged");
  return chunks;
}

void check(const ByteView& file, int status) {
  if (status == SPNG_ECHUNK_CRC || status == SPNG_EIDAT_STREAM)
    file.reject("pixel data does not decompress to its checksum; the file is damaged");
  if (status != SPNG_OK) file.reject(spng_strerror(status), "; the file is damaged");
}

/// True for gray of 16 bits without alpha.
bool is_deep_gray(const ByteView& file) {
  constexpr int64_t kDepth = kSignature + 16, kColor = kSignature + 17;
  return file.u8(kDepth) == 16 && file.u8(kColor) == 0;
}

void decode_deep_gray(const ByteView& file, spng_ctx* decoder, Image& image) {
  std::vector<uint16_t> samples(image.rgb.total());
  check(file, spng_decode_image(decoder, samples.data(), samples.size() * sizeof(uint16_t), SPNG_FMT_PNG, 0));
  image.clipped = new_clipped(image.rgb);
  for (size_t i = 0; i < samples.size(); ++i) {
    std::fill_n(image.rgb.data + i * 3, 3, static_cast<uint8_t>(samples[i] >> 8));
    image.clipped.data[i] = static_cast<uint8_t>(std::min<uint16_t>(samples[i], 255));
  }
}

}  // namespace

ImageSize size_of_png(const ByteView& file, const DecodeLimits& limits) {
  if (!file.has(kSignature + 4, "IHDR"sv) || file.u32_be(kSignature) != 13)
    file.reject("does not begin with an IHDR chunk of 13 bytes");
  return checked_size(file, file.u32_be(kSignature + 8), file.u32_be(kSignature + 12), limits);
}

Image decode_png(const ByteView& file, const DecodeLimits& limits) {
  const ImageSize size = size_of_png(file, limits);
  const std::vector<uint8_t> chunks = pixel_chunks(file);
  const std::unique_ptr<spng_ctx, Close> decoder(spng_ctx_new(0));
  if (!decoder) throw std::bad_alloc();
  check(file, spng_set_png_buffer(decoder.get(), chunks.data(), chunks.size()));
  cv::Mat picture = new_picture(file, size.width, size.height, limits);
  Image image = image_from_rgb(picture);
  if (is_deep_gray(file))
    decode_deep_gray(file, decoder.get(), image);
  else
    check(file, spng_decode_image(decoder.get(), picture.data, picture.total() * 3, SPNG_FMT_RGB8, 0));
  check(file, spng_decode_chunks(decoder.get()));
  return image;
}

std::span<const uint8_t> exif_of_png(const ByteView& file) {
  for (int64_t at = kSignature; !file.has(at + 4, "IEND"sv); at += kFrame + file.u32_be(at))
    if (file.has(at + 4, "eXIf"sv)) return file.part(at + 8, file.u32_be(at));
  return {};
}

}  // namespace vit::codec
