// The bytes of an HDF5 file that is read. Nothing here or above trusts a byte: every place and size is checked against
// the file before it is read, and a walk over linked structures ends.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "vit/core/error.h"

namespace vit::h5 {

/// "No address" in files.
inline constexpr uint64_t kNoAddress = ~uint64_t{0};

/// An open regular file; threads may read at once.
class Source {
 public:
  /// Throws Error (io) when the system refuses, or when it is not a regular file.
  explicit Source(const std::filesystem::path& path);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// Addresses in the file count from here.
  uint64_t base() const { return base_; }
  void set_base(uint64_t base) { base_ = base; }

  /// Throws Error (data) unless the file holds that many bytes from the address on.
  void check(uint64_t address, uint64_t bytes, std::string_view what) const;
  /// The same, and reads them.
  void read(uint64_t address, std::span<uint8_t> out, std::string_view what) const;

  template <class... Parts>
  [[noreturn]] void fail_damaged(const Parts&... parts) const {
    fail(ErrorKind::data, "[hdf5] ", path_.string(), " is damaged: ", parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail_object(std::string_view name, const Parts&... fault) const {
    fail(ErrorKind::data, "[hdf5] ", name, " in ", path_.string(), " ", fault...);
  }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  uint64_t base_ = 0;
};

/// Takes values, little endian, from bytes of the file; throws Error (data) at their end.
class Cursor {
 public:
  Cursor(const Source& source, std::span<const uint8_t> bytes, std::string_view what)
      : source_(&source), bytes_(bytes), what_(what) {}

  std::size_t left() const { return bytes_.size(); }
  std::span<const uint8_t> take(uint64_t count);
  void skip(uint64_t count) { take(count); }
  /// Of `width` bytes, 0 to 8.
  uint64_t number(unsigned width);
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  /// Throws unless the next byte is `version`.
  void expect_version(uint8_t version);
  const Source& source() const { return *source_; }
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    source_->fail_damaged(what_, " ", parts...);
  }

 private:
  const Source* source_;
  std::span<const uint8_t> bytes_;
  std::string_view what_;
};

/// One walk over a structure. Its parts lie side by side in a file, and objects side by side in some of them, so a walk
/// that has read more than twice the bytes of the file
/// goes in circles, or over one part again and again: it throws Error (data). That bounds time and memory.
class Walk {
 public:
  explicit Walk(const Source& source) : source_(&source), left_(2 * source.size()) {}

  const Source& source() const { return *source_; }
  void charge(uint64_t bytes);
  /// Bytes of the file.
  std::vector<uint8_t> read(uint64_t address, uint64_t bytes, std::string_view what);
  /// The same of a block that begins with the four letters and ends with the sum of what is before it.
  std::vector<uint8_t> read_block(uint64_t address, uint64_t bytes, std::string_view letters);

 private:
  const Source* source_;
  uint64_t left_;
};

/// What follows the four letters, up to the sum.
Cursor inside_block(const Source& source, std::span<const uint8_t> block);
/// Throws Error (data) unless the last four bytes are the sum of the others.
void check_sum(const Source& source, std::span<const uint8_t> block, std::string_view what);

/// How many bytes HDF5 uses for numbers up to `limit`.
unsigned bytes_for(uint64_t limit);

}  // namespace vit::h5
