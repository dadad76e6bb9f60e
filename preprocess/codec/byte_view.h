// Checked reading of numbers at any place of a file that is held in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "vit/core/error.h"

namespace vit::codec {

/// The bytes of one image file, and what its errors call it. A read past the end is Error (data): truncated.
class ByteView {
 public:
  ByteView(std::span<const uint8_t> bytes, std::string_view name, std::string_view format)
      : bytes_(bytes), name_(name), format_(format) {}

  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  const uint8_t* data() const { return bytes_.data(); }
  std::span<const uint8_t> part(int64_t at, int64_t count) const {
    require(at, count);
    return bytes_.subspan(static_cast<size_t>(at), static_cast<size_t>(count));
  }

  int64_t u8(int64_t at) const { return part(at, 1)[0]; }
  int64_t u16_le(int64_t at) const { return little(at, 2); }
  int64_t u24_le(int64_t at) const { return little(at, 3); }
  int64_t u32_le(int64_t at) const { return little(at, 4); }
  int64_t i32_le(int64_t at) const { return static_cast<int32_t>(static_cast<uint32_t>(u32_le(at))); }
  int64_t u16_be(int64_t at) const { return big(at, 2); }
  int64_t u32_be(int64_t at) const { return big(at, 4); }
  bool has(int64_t at, std::string_view text) const {
    return at <= size() && size() - at >= static_cast<int64_t>(text.size()) &&
           std::memcmp(data() + at, text.data(), text.size()) == 0;
  }

  /// Throws unless bytes [at, at + count) exist.
  void require(int64_t at, int64_t count) const {
    if (at < 0 || count < 0 || at > size() || count > size() - at) {
      fail(ErrorKind::data, "[decode_image] ", name_, ": truncated ", format_, ": needs ", count, " bytes at offset ",
           at, ", the file has ", size(), "; was it copied only in part?");
    }
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[decode_image] ", name_, ": ", format_, ": ", concat(parts...));
  }

 private:
  int64_t little(int64_t at, int count) const {
    int64_t value = 0;
    for (int shift = 0; const uint8_t byte : part(at, count)) {
      value |= int64_t{byte} << shift;
      shift += 8;
    }
    return value;
  }
  int64_t big(int64_t at, int count) const {
    int64_t value = 0;
    for (const uint8_t byte : part(at, count)) value = value << 8 | byte;
    return value;
  }

  std::span<const uint8_t> bytes_;
  std::string_view name_;
  std::string_view format_;
};

}  // namespace vit::codec
