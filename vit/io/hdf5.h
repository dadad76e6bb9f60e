// HDF5 files. They are written through the HDF5 library, under one lock, and read without it: the library trusts much
// of the metadata that it reads, and a damaged or hostile file makes it crash. Many threads can read one file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vit::h5 {

enum class Type { u8, i8, i32, i64, f32 };

struct OpenFile;   // internal: written
class StoredFile;  // internal: read

struct DatasetInfo {
  Type type = Type::u8;
  std::vector<int64_t> shape;
};

/// A dataset that was found and checked. Many threads may read at once. Keeps its file open.
class Dataset {
 public:
  struct Impl;
  explicit Dataset(std::unique_ptr<Impl> impl);
  ~Dataset();
  Dataset(Dataset&&) noexcept;

  const DatasetInfo& info() const;
  /// All elements; throws Error (data) unless `out` has their type and number.
  void read(std::span<uint8_t> out) const;
  void read(std::span<int8_t> out) const;
  void read(std::span<int32_t> out) const;
  void read(std::span<int64_t> out) const;
  void read(std::span<float> out) const;

 private:
  std::unique_ptr<Impl> impl_;
};

/// An open file, to be read or to be written. Paths inside are absolute, e.g. "/train/images"; groups are made as
/// needed. Every function throws Error (io or data) that names the file and the path inside; Error (usage) when the
/// file is open for the other. Shapes are checked before memory is taken.
class File {
 public:
  static File open(const std::filesystem::path& path);    // read only
  static File create(const std::filesystem::path& path);  // newest format; truncates
  ~File();
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;

  const std::filesystem::path& path() const;
  bool exists(const std::string& name) const;
  /// Sorted; those behind hard links.
  std::vector<std::string> children(const std::string& group) const;

  /// Nothing when it is absent; throws when it is of another kind, or larger than the file can hold.
  std::optional<Dataset> find(const std::string& name) const;
  /// The same, and absence throws, too.
  Dataset dataset(const std::string& name) const;
  DatasetInfo info(const std::string& name) const;

  void read(const std::string& name, std::span<uint8_t> out) const;
  void read(const std::string& name, std::span<int8_t> out) const;
  void read(const std::string& name, std::span<int32_t> out) const;
  void read(const std::string& name, std::span<int64_t> out) const;
  void read(const std::string& name, std::span<float> out) const;
  /// Rows [begin, begin + count) of the first dimension.
  void read_rows(const std::string& name, int64_t begin, int64_t count, std::span<uint8_t> out) const;

  /// A dataset of the shape in one go, Fletcher32 on chunks of about 1 MiB.
  void write(const std::string& name, const std::vector<int64_t>& shape, std::span<const uint8_t> data);
  void write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int8_t> data);
  void write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int32_t> data);
  void write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int64_t> data);
  void write(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> data);

  /// Strings: UTF-8, at most `kMaxStringBytes` each when read.
  std::string read_text(const std::string& name) const;
  void write_text(const std::string& name, const std::string& text);
  std::vector<std::string> read_texts(const std::string& name) const;
  void write_texts(const std::string& name, const std::vector<std::string>& texts);
  std::string read_attribute(const std::string& object, const std::string& name) const;
  void write_attribute(const std::string& object, const std::string& name, const std::string& text);
  bool has_attribute(const std::string& object, const std::string& name) const;

  /// A byte dataset that grows by its first dimension: [0, rest...] with `rows_per_chunk` rows a chunk.
  void create_growing(const std::string& name, const std::vector<int64_t>& rest, int64_t rows_per_chunk);
  void append_rows(const std::string& name, int64_t count, std::span<const uint8_t> data);

  /// Flushes and closes; reports what the destructor would have to swallow (a full disk shows here).
  void close();

 private:
  friend class ChunkReader;
  explicit File(std::shared_ptr<OpenFile> written);
  explicit File(std::shared_ptr<const StoredFile> read);
  OpenFile& writer(const std::string& name) const;
  const StoredFile& reader(const std::string& name) const;

  std::shared_ptr<OpenFile> written_;
  std::shared_ptr<const StoredFile> read_;
};

inline constexpr int64_t kMaxStringBytes = 1 << 20;

/// Reads rows of a uint8 dataset from many threads, which verify the Fletcher32 sums of its chunks.
class ChunkReader {
 public:
  ChunkReader(const std::filesystem::path& path, const std::string& name);
  ChunkReader(const File& file, const std::string& name);
  ~ChunkReader();
  ChunkReader(ChunkReader&&) noexcept;

  int64_t rows() const;
  int64_t row_bytes() const;
  /// Reads that start at multiples of this many rows do the least work; 0 when reads of threads wait for each other,
  /// because the chunks are compressed, say.
  int64_t rows_per_chunk() const;
  /// One row; thread-safe.
  void read_row(int64_t row, std::span<uint8_t> out) const;
  /// Rows [begin, begin + count); thread-safe.
  void read_rows(int64_t begin, int64_t count, std::span<uint8_t> out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit::h5
