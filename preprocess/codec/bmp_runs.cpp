#include <algorithm>

#include "preprocess/codec/bmp.h"

namespace vit::codec {
namespace {

/// The picture so far: pixels are written in the order of the file, without gaps.
class Canvas {
 public:
  Canvas(const ByteView& file, int64_t width, int64_t height)
      : file_(file), width_(width), size_(width * height), pixels_(static_cast<size_t>(size_)) {}

  bool full() const { return end_ == size_; }
  /// Where the row has been written to; a full row stays at its end until the end-of-line code.
  int64_t room() const { return std::min(width_ - column_, size_ - end_); }
  void put(uint8_t value) {
    pixels_[static_cast<size_t>(end_++)] = value;
    ++column_;
  }
  void end_line() {
    end_ = std::min(size_, (end_ + width_ - 1) / width_ * width_);
    column_ = 0;
  }
  void skip(int64_t right, int64_t up) {
    end_ = std::min(size_, end_ + right + up * width_);
    column_ = end_ % width_;
  }
  std::vector<uint8_t> take() {
    if (!full()) file_.reject("its runs end after ", end_, " of ", size_, " pixels; the file is damaged or cut");
    return std::move(pixels_);
  }

 private:
  const ByteView& file_;
  int64_t width_, size_, end_ = 0, column_ = 0;
  std::vector<uint8_t> pixels_;
};

}  // namespace

std::vector<uint8_t> decode_bmp_runs(const ByteView& file, int64_t at, bool nibbles, int64_t width, int64_t height) {
  constexpr int64_t kEndOfLine = 0, kEndOfPicture = 1,
                    kSkip = 2;  // what follows a count of 0; more is a literal's size
  const auto pixel = [&](int64_t byte, int64_t i) {
    return static_cast<uint8_t>(!nibbles ? byte : i % 2 == 0 ? byte >> 4 : byte & 0x0F);
  };
  Canvas canvas(file, width, height);
  while (!canvas.full()) {
    const int64_t count = file.u8(at), value = file.u8(at + 1);
    at += 2;
    if (count > 0) {
      for (int64_t i = 0, n = std::min(count, canvas.room()); i < n; ++i) canvas.put(pixel(value, i));
    } else if (value == kEndOfLine) {
      canvas.end_line();
    } else if (value == kEndOfPicture) {
      break;
    } else if (value == kSkip) {
      canvas.skip(file.u8(at), file.u8(at + 1));
      at += 2;
    } else {
      const int64_t bytes = nibbles ? (value + 1) / 2 : value;
      const auto literal = file.part(at, bytes);
      if (value > canvas.room()) file.reject("run at offset ", at, " is longer than its row; the file is damaged");
      for (int64_t i = 0; i < value; ++i) canvas.put(pixel(literal[static_cast<size_t>(nibbles ? i / 2 : i)], i));
      at += (bytes + 1) / 2 * 2;
    }
  }
  return canvas.take();
}

}  // namespace vit::codec
