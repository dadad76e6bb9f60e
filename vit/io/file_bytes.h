// The bytes of a file that is read at many places.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "vit/io/descriptor.h"

namespace vit {

/// An open regular file; threads may read at once. Nothing is mapped: a file that is cut while in use gives an Error.
class FileBytes {
 public:
  /// Throws Error (io) when the system refuses, or when it is not a regular file.
  explicit FileBytes(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// All of `out`. Throws Error (io), or data where the file has no such bytes.
  void read(uint64_t place, std::span<uint8_t> out) const;

 private:
  std::filesystem::path path_;
  Descriptor file_;
  uint64_t size_ = 0;
};

}  // namespace vit
