#include "preprocess/codec/inspect.h"

namespace vit::codec {
namespace {

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

}  // namespace

/// Walks all segments to the end-of-image marker: libjpeg itself only warns, and fills with gray, when it is missing.
FileInfo inspect_jpeg(const ByteView& file, const DecodeLimits& limits) {
  FileInfo info;
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
      if (info.width > 0) file.reject("second frame header at offset ", at, "; the file is damaged");
      info.height = file.u16_be(at + 3);
      info.width = file.u16_be(at + 5);
      check_size(file, info, limits);
    }
    if (marker == 0xDA && ++scans > kMaxScans) file.reject("more than ", kMaxScans, " scans");
    at += length;
  }
  if (info.width == 0 || scans == 0) file.reject("no picture before the end-of-image marker; the file is damaged");
  return info;
}

}  // namespace vit::codec
