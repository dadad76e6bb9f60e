#include <algorithm>
#include <cmath>
#include <vector>

#include "preprocess/codec/codecs.h"

namespace vit::codec {
namespace {

bool is_space(int64_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(int64_t c) { return c >= '0' && c <= '9'; }

bool is_bitmap(int64_t kind) { return kind == 1 || kind == 4; }

struct Header {
  int64_t kind;  // the digit of P1 .. P6
  int64_t width, height, max_value;
  int64_t data_at;  // offset of the samples

  bool text() const { return kind <= 3; }
  bool bitmap() const { return is_bitmap(kind); }
  int64_t channels() const { return kind == 3 || kind == 6 ? 3 : 1; }
};

/// Behind spaces and comments, which run from # to the end of the line.
void skip_space(const ByteView& file, int64_t& at) {
  while (at < file.size() && (is_space(file.u8(at)) || file.u8(at) == '#')) {
    if (file.u8(at) == '#')
      while (at < file.size() && file.u8(at) != '\n' && file.u8(at) != '\r') ++at;
    at += at < file.size();
  }
}

/// The next number, written in decimal.
int64_t next_number(const ByteView& file, int64_t& at) {
  skip_space(file, at);
  if (at >= file.size()) return file.u8(at);  // throws: truncated
  if (!is_digit(file.u8(at))) file.reject("needs a number at offset ", at, "; the file is damaged");
  int64_t value = 0;
  for (; at < file.size() && is_digit(file.u8(at)); ++at) {
    value = value * 10 + (file.u8(at) - '0');
    if (value > INT32_MAX) file.reject("number at offset ", at, " is more than ", INT32_MAX);
  }
  return value;
}

Header read_header(const ByteView& file, const DecodeLimits& limits) {
  const int64_t kind = file.u8(1) - '0';
  int64_t at = 2;
  const int64_t width = next_number(file, at);
  const int64_t height = next_number(file, at);
  checked_size(file, width, height, limits);
  const int64_t max_value = is_bitmap(kind) ? 1 : next_number(file, at);
  if (max_value < 1 || max_value > 65535) file.reject("needs samples up to 1 .. 65535, has up to ", max_value);
  if (at < file.size() && file.u8(at) == '#') skip_space(file, --at);
  return {kind, width, height, max_value, at + 1};  // one space ends the header
}

bool is_deep_gray(const Header& header) { return header.max_value > 255 && header.channels() == 1; }

/// Sample values 0 .. max_value to bytes, rounded as Pillow does; above 8 bits gray goes through 16 bits, of which the
/// upper byte stays.
std::vector<uint8_t> byte_table(const Header& header) {
  std::vector<uint8_t> table(static_cast<size_t>(header.max_value) + 1);
  const bool deep_gray = is_deep_gray(header);
  for (size_t v = 0; v < table.size(); ++v) {
    const double part = static_cast<double>(v) / static_cast<double>(header.max_value);
    table[v] = static_cast<uint8_t>(deep_gray ? std::lrint(part * 65535) >> 8 : std::lrint(part * 255));
  }
  return table;
}

/// The 16 bits of deep gray, cut at 255.
std::vector<uint8_t> clip_table(const Header& header) {
  std::vector<uint8_t> table(static_cast<size_t>(header.max_value) + 1);
  for (size_t v = 0; v < table.size(); ++v) {
    const double part = static_cast<double>(v) / static_cast<double>(header.max_value);
    table[v] = static_cast<uint8_t>(std::min(std::lrint(part * 65535), 255L));
  }
  return table;
}

/// Where samples go.
class Samples {
 public:
  Samples(const Header& header, Image& image) : colors_(header.channels() == 3), bytes_(byte_table(header)) {
    rgb_ = image.rgb.data;
    if (!is_deep_gray(header)) return;
    clips_ = clip_table(header);
    image.clipped = new_clipped(image.rgb);
    clipped_ = image.clipped.data;
  }

  void set(int64_t i, int64_t value) {
    const auto v = static_cast<size_t>(value);
    if (colors_) {
      rgb_[i] = bytes_[v];
      return;
    }
    std::fill_n(rgb_ + i * 3, 3, bytes_[v]);
    if (clipped_ != nullptr) clipped_[i] = clips_[v];
  }

 private:
  bool colors_;
  std::vector<uint8_t> bytes_, clips_;
  uint8_t *rgb_, *clipped_ = nullptr;
};

void set_gray(cv::Mat& picture, int64_t pixel, uint8_t value) { std::fill_n(picture.data + pixel * 3, 3, value); }

void read_binary_bitmap(const ByteView& file, const Header& header, cv::Mat& picture) {
  const int64_t row_bytes = (header.width + 7) / 8;
  const auto rows = file.part(header.data_at, row_bytes * header.height);
  for (int64_t y = 0, pixel = 0; y < header.height; ++y) {
    const uint8_t* row = rows.data() + y * row_bytes;
    for (int64_t x = 0; x < header.width; ++x)
      set_gray(picture, pixel++, (row[x / 8] >> (7 - x % 8) & 1) != 0 ? 0 : 255);
  }
}

void read_binary(const ByteView& file, const Header& header, Image& image) {
  const int64_t samples = header.width * header.height * header.channels();
  const int64_t sample_bytes = header.max_value > 255 ? 2 : 1;
  const auto data = file.part(header.data_at, samples * sample_bytes);
  if (header.max_value == 255 && header.channels() == 3) {
    std::copy(data.begin(), data.end(), image.rgb.data);
    return;
  }
  Samples out(header, image);
  for (int64_t i = 0; i < samples; ++i) {
    const auto at = static_cast<size_t>(i * sample_bytes);
    const int64_t value = sample_bytes == 1 ? data[at] : data[at] << 8 | data[at + 1];
    out.set(i, std::min(value, header.max_value));
  }
}

[[noreturn]] void reject_short(const ByteView& file, const Header& header, int64_t samples) {
  file.reject("truncated: needs ", header.width, " x ", header.height, " pixels, has ", samples, " numbers");
}

/// Single digits, which need no space between them.
void read_text_bitmap(const ByteView& file, const Header& header, cv::Mat& picture) {
  int64_t at = header.data_at;
  for (int64_t i = 0; i < header.width * header.height; ++i, ++at) {
    skip_space(file, at);
    if (at >= file.size()) reject_short(file, header, i);
    if (file.u8(at) != '0' && file.u8(at) != '1') file.reject("needs 0 or 1 at offset ", at, "; the file is damaged");
    set_gray(picture, i, file.u8(at) == '1' ? 0 : 255);
  }
}

void read_text(const ByteView& file, const Header& header, Image& image) {
  Samples out(header, image);
  int64_t at = header.data_at;
  for (int64_t i = 0; i < header.width * header.height * header.channels(); ++i) {
    skip_space(file, at);
    if (at >= file.size()) reject_short(file, header, i);
    const int64_t value = next_number(file, at);
    if (value > header.max_value) file.reject("sample ", value, " before offset ", at, " is above ", header.max_value);
    out.set(i, value);
  }
}

}  // namespace

ImageSize size_of_pnm(const ByteView& file, const DecodeLimits& limits) {
  const Header header = read_header(file, limits);
  return {header.width, header.height};
}

Image decode_pnm(const ByteView& file, const DecodeLimits& limits) {
  const Header header = read_header(file, limits);
  // A sample takes a bit at least, so a short file is known before memory is taken.
  const int64_t samples = header.width * header.height * header.channels();
  if (header.text() && file.size() - header.data_at < samples)
    reject_short(file, header, std::max<int64_t>(0, file.size() - header.data_at));
  if (!header.text())
    file.require(header.data_at,
                 header.bitmap() ? (header.width + 7) / 8 * header.height : samples * (header.max_value > 255 ? 2 : 1));
  Image image = image_from_rgb(new_picture(file, header.width, header.height, limits));
  if (header.kind == 1) {
    read_text_bitmap(file, header, image.rgb);
  } else if (header.kind == 4) {
    read_binary_bitmap(file, header, image.rgb);
  } else if (header.text()) {
    read_text(file, header, image);
  } else {
    read_binary(file, header, image);
  }
  return image;
}

}  // namespace vit::codec
