#include "preprocess/codec/inspect.h"

namespace vit::codec {
namespace {

bool is_space(int64_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(int64_t c) { return c >= '0' && c <= '9'; }

/// The next number of the header; comments run from # to the end of the line.
int64_t next_number(const ByteView& file, int64_t& at) {
  while (is_space(file.u8(at)) || file.u8(at) == '#') {
    if (file.u8(at) == '#') {
      while (file.u8(at) != '\n') ++at;
    }
    ++at;
  }
  int64_t value = 0;
  if (!is_digit(file.u8(at))) file.reject("needs a number at offset ", at, "; the file is damaged");
  for (; at < file.size() && is_digit(file.u8(at)); ++at) {
    value = value * 10 + (file.u8(at) - '0');
    if (value > INT32_MAX) file.reject("number at offset ", at, " is more than ", INT32_MAX);
  }
  return value;
}

/// Samples written as text: numbers, or for P1 single digits that need no space between them.
int64_t count_text_samples(const ByteView& file, int64_t at, bool bitmap) {
  int64_t count = 0;
  bool inside = false;
  for (; at < file.size(); ++at) {
    const bool digit = is_digit(file.u8(at));
    count += digit && (bitmap || !inside);
    inside = digit;
  }
  return count;
}

}  // namespace

FileInfo inspect_pnm(const ByteView& file, const DecodeLimits& limits) {
  const int64_t kind = file.u8(1) - '0';
  const bool text = kind <= 3, bitmap = kind == 1 || kind == 4, colour = kind == 3 || kind == 6;
  FileInfo info;
  int64_t at = 2;
  info.width = next_number(file, at);
  info.height = next_number(file, at);
  check_size(file, info, limits);
  const int64_t max_value = bitmap ? 1 : next_number(file, at);
  if (!bitmap && max_value != 255 && max_value != 65535) {
    file.reject("needs samples up to 255 or 65535, has up to ", max_value);  // the decoder would not scale them
  }
  const int64_t row_samples = info.width * (colour ? 3 : 1);
  if (!text) {
    const int64_t row_bytes = bitmap ? (info.width + 7) / 8 : row_samples * (max_value > 255 ? 2 : 1);
    file.require(at + 1, row_bytes * info.height);  // one space ends the header
    return info;
  }
  const int64_t samples = count_text_samples(file, at, bitmap);
  if (samples < row_samples * info.height) {
    file.reject("truncated: needs ", info.width, " x ", info.height, " pixels, has ", samples, " numbers");
  }
  // The decoder wants one byte more than the last digit.
  info.rewritten.assign(file.data(), file.data() + file.size());
  info.rewritten.push_back('\n');
  return info;
}

}  // namespace vit::codec
