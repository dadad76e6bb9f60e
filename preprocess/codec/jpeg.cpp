#include <turbojpeg.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/codec/codecs.h"
#include "preprocess/codec/color.h"

namespace vit::codec {
namespace {

using namespace std::string_view_literals;

// Progressive files have some ten scans; thousands over a large picture are an attack on the decoder's time.
constexpr int kMaxScans = 500;

bool is_frame_header(int64_t marker) {  // SOF0 .. SOF15 without DHT, JPG and DAC, which lie among them
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// From `at` to the next marker that ends entropy-coded data; stuffed zeros and restarts belong to the data.
int64_t skip_scan_data(const ByteView& file, int64_t at) {
  while (at < file.size()) {
    const void* found = std::memchr(file.data() + at, 0xFF, static_cast<size_t>(file.size() - at));
    if (found == nullptr) return file.size();
    at = static_cast<const uint8_t*>(found) - file.data();
    const int64_t next = at + 1 < file.size() ? file.u8(at + 1) : 0xFF;
    const bool data = next == 0x00 || (next >= 0xD0 && next <= 0xD7);
    if (!data && next != 0xFF) return at;
    at += data ? 2 : 1;
  }
  return file.size();
}

ImageSize read_frame(const ByteView& file, int64_t at, const DecodeLimits& limits) {
  const int64_t bits = file.u8(at + 2);
  if (bits != 8) file.reject("needs 8 bits a sample, has ", bits);
  const ImageSize frame = checked_size(file, file.u16_be(at + 5), file.u16_be(at + 3), limits);
  const int64_t components = file.u8(at + 7);
  if (components != 1 && components != 3 && components != 4)
    file.reject("needs 1, 3 or 4 components, has ", components);
  return frame;
}

/// Walks all segments to the end-of-image marker: libjpeg itself only warns, and fills with gray, when it is missing.
ImageSize check_segments(const ByteView& file, const DecodeLimits& limits) {
  ImageSize frame;
  int scans = 0;
  int64_t at = 2;
  while (true) {
    at = skip_scan_data(file, at);
    if (at >= file.size()) {
      file.reject("truncated: no end-of-image marker in its ", file.size(), " bytes; was it copied only in part?");
    }
    const int64_t marker = file.u8(at + 1);
    at += 2;
    if (marker == 0xD9) break;
    if (marker == 0x01 || marker == 0xD8) continue;
    const int64_t length = file.u16_be(at);
    if (length < 2)
      file.reject("segment of ", length, " bytes at offset ", at, ", needs at least 2; the file is damaged");
    file.require(at, length);
    if (is_frame_header(marker)) {
      if (frame.width > 0) file.reject("second frame header at offset ", at, "; the file is damaged");
      frame = read_frame(file, at, limits);
    }
    if (marker == 0xDA && ++scans > kMaxScans) file.reject("more than ", kMaxScans, " scans");
    at += length;
  }
  if (frame.width == 0 || scans == 0) file.reject("no picture before the end-of-image marker; the file is damaged");
  return frame;
}

struct Close {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decoder = std::unique_ptr<void, Close>;

/// A decoder that has failed keeps parts of that file, so it goes.
[[noreturn]] void reject_and_close(const ByteView& file, Decoder& decoder) {
  const std::string fault = tjGetErrorStr2(decoder.get());
  decoder.reset();
  file.reject(fault, "; the file is damaged or of an unusual kind");
}

}  // namespace

ImageSize size_of_jpeg(const ByteView& file, const DecodeLimits& limits) { return check_segments(file, limits); }

/// Through libjpeg-turbo with the accurate DCT and smooth chroma. Damage inside that leaves the file decodable is not
/// seen.
Image decode_jpeg(const ByteView& file, const DecodeLimits& limits) {
  const ImageSize frame = check_segments(file, limits);
  thread_local Decoder decoder;
  if (!decoder) decoder.reset(tjInitDecompress());
  if (!decoder) fail(ErrorKind::io, "[decode_image] libjpeg-turbo: ", tjGetErrorStr());
  int width = 0, height = 0, subsampling = 0, colors = 0;
  const auto size = static_cast<unsigned long>(file.size());
  // Subsampling that the header call has no name for is an error there and none below.
  static_cast<void>(tjDecompressHeader3(decoder.get(), file.data(), size, &width, &height, &subsampling, &colors));
  if (width != frame.width || height != frame.height) reject_and_close(file, decoder);
  cv::Mat picture = new_picture(file, width, height, limits);
  const bool inks = colors == TJCS_CMYK || colors == TJCS_YCCK;
  std::vector<uint8_t> cmyk(inks ? static_cast<size_t>(frame.width * frame.height * 4) : 0);
  const int status = tjDecompress2(decoder.get(), file.data(), size, inks ? cmyk.data() : picture.data, width, 0,
                                   height, inks ? TJPF_CMYK : TJPF_RGB, TJFLAG_ACCURATEDCT);
  if (status != 0 && tjGetErrorCode(decoder.get()) == TJERR_FATAL) reject_and_close(file, decoder);
  for (size_t i = 0; i < cmyk.size(); i += 4) {  // stored as Adobe does: 0 is full
    for (size_t c = 0; c < 4; ++c) cmyk[i + c] = static_cast<uint8_t>(255 - cmyk[i + c]);
    cmyk_to_rgb(cmyk.data() + i, picture.data + i / 4 * 3);
  }
  return image_from_rgb(picture);
}

std::span<const uint8_t> exif_of_jpeg(const ByteView& file) {
  for (int64_t at = skip_scan_data(file, 2); at < file.size(); at = skip_scan_data(file, at)) {
    const int64_t marker = file.u8(at + 1);
    at += 2;
    if (marker == 0xDA || marker == 0xD9) break;
    if (marker == 0x01 || marker == 0xD8) continue;
    const int64_t length = file.u16_be(at);
    constexpr int64_t kMark = 6;
    if (marker == 0xE1 && length >= 2 + kMark && file.has(at + 2, "Exif\0\0"sv))
      return file.part(at + 2 + kMark, length - 2 - kMark);
    at += length;
  }
  return {};
}

}  // namespace vit::codec
