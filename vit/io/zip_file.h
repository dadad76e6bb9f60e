// Entries of a zip, read as streams by many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vit/io/file_bytes.h"

namespace vit {

struct ZipEntry {
  std::string name;     // the bytes in the file
  uint64_t size = 0;    // of the content
  uint64_t packed = 0;  // in the file
};

/// One entry from its first byte to its last.
class ZipStream {
 public:
  virtual ~ZipStream() = default;
  /// All of `out`. Throws Error (data) that names file and entry where it is damaged or ends before.
  virtual void read(std::span<uint8_t> out) = 0;
  /// After the last byte: throws Error (data) unless the entry ends here and matches its checksum.
  virtual void finish() = 0;
};

class ZipFile {
 public:
  /// Reads the directory. Throws Error (data) for damage, entries that are encrypted or packed otherwise than stored or
  /// deflated, and sizes that cannot be those of their packed bytes. `file` is kept.
  explicit ZipFile(const FileBytes& file);
  ~ZipFile();
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  const std::vector<ZipEntry>& entries() const { return entries_; }
  std::unique_ptr<ZipStream> open(std::size_t index) const;

 private:
  class Handles;
  class Stream;
  std::unique_ptr<Handles> handles_;
  std::vector<ZipEntry> entries_;
};

}  // namespace vit
