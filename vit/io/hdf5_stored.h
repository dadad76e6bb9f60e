// An HDF5 file that is read, and its datasets. All is checked when it is opened; then many threads may read at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vit/io/hdf5_object.h"

namespace vit::h5 {

class StoredFile {
 public:
  explicit StoredFile(const std::filesystem::path& path);

  const Source& source() const { return source_; }
  /// Reached by hard links only; nothing when it is not there.
  std::optional<Object> find(const std::string& name) const;
  /// The same, and absence throws Error (data).
  Object open(const std::string& name) const;
  bool exists(const std::string& name) const { return address_of(name).has_value(); }
  std::vector<std::string> children(const std::string& group) const;

 private:
  std::optional<uint64_t> address_of(const std::string& name) const;
  std::shared_ptr<const Links> links_of(uint64_t group) const;

  Source source_;
  uint64_t root_;
  mutable std::mutex mutex_;
  mutable std::map<uint64_t, std::shared_ptr<const Links>> links_;
};

/// A dataset as it lies in the file.
class StoredDataset {
 public:
  /// Throws Error (data) unless all of it can be read without surprises from other files, plug-ins or sizes.
  StoredDataset(std::shared_ptr<const StoredFile> file, std::string name, const Object& object);

  const std::string& name() const { return name_; }
  const Source& source() const { return file_->source(); }
  const Datatype& type() const { return type_; }
  /// Throws unless its elements are numbers that are read here.
  Type number_type() const;
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t count() const { return count_; }
  int64_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  int64_t row_bytes() const { return rows() == 0 ? 0 : count_ / rows() * static_cast<int64_t>(type_.bytes); }

  /// Rows [begin, begin + count), which must be there; every chunk of them is verified.
  void read_rows(int64_t begin, int64_t count, std::span<uint8_t> out) const;

  // Chunks that are rows of bytes followed by their Fletcher32 sum and nothing else can be read in place.
  /// Rows a chunk; 0 when chunks are stored in another way.
  int64_t plain_rows() const { return plain_rows_; }
  std::size_t chunks() const { return places_.size(); }
  /// Part of a plain chunk, not verified.
  void read_unverified(std::size_t chunk, int64_t first_row, std::span<uint8_t> out) const;
  /// The same when the chunk's sum is right.
  void read_verified(std::size_t chunk, int64_t first_row, std::span<uint8_t> out) const;

  // Of chunks stored in another way: all along the other dimensions at once.
  /// Rows that are decoded together; 1 when there are no chunks.
  int64_t band_rows() const { return chunk_.empty() ? 1 : chunk_[0]; }

 private:
  [[noreturn]] void fail_size(uint64_t stored, int64_t bytes) const;
  void check_filters();
  void find_chunks(const Layout& layout, const Dataspace& space, int64_t bytes);
  void check_plain();
  std::vector<uint8_t> decode(std::size_t chunk) const;
  void copy_chunk(std::span<const uint8_t> chunk, std::size_t index, int64_t begin, int64_t count,
                  std::span<uint8_t> out) const;

  std::shared_ptr<const StoredFile> file_;
  std::string name_;
  Datatype type_;
  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  Layout::Kind kind_ = Layout::Kind::unknown;
  std::vector<uint8_t> compact_;
  uint64_t address_ = kNoAddress;
  std::vector<Filter> filters_;
  bool deflated_ = false;
  std::vector<int64_t> chunk_;
  int64_t chunk_bytes_ = 0;
  std::vector<ChunkPlace> places_;
  int64_t plain_rows_ = 0;
};

}  // namespace vit::h5
