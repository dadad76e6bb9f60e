// Writes a data set file (docs/formats.md) picture by picture, in bounded memory. The same input gives the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vit {

/// How the pictures of a split are stored.
struct SplitFormat {
  bool encoded = false;  // the files' own bytes; else RGB8 pixels [height, width, 3]
  int64_t height = 0;
  int64_t width = 0;
  bool paths = false;  // where each picture came from

  static SplitFormat pixels(int64_t height, int64_t width, bool paths = false) { return {false, height, width, paths}; }
  static SplitFormat files(bool paths = true) { return {true, 0, 0, paths}; }
};

/// What is said of the whole file.
struct DatasetMetadata {
  std::vector<std::string> class_names;
  std::string source;                   // where it came from, for people
  nlohmann::json preprocess = nullptr;  // geometry that made the pixels; null when they are as their authors made them
  bool exif_rotate = false;             // pictures are, or with encoded files are to be, turned upright as EXIF says
};

class Hdf5DatasetWriter;

/// One split while it is written; several may be open at once, and the writer outlives them.
class Hdf5SplitWriter {
 public:
  ~Hdf5SplitWriter();
  Hdf5SplitWriter(Hdf5SplitWriter&&) noexcept;
  Hdf5SplitWriter& operator=(Hdf5SplitWriter&&) noexcept;

  /// `image` is height*width*3 bytes of pixels, or the bytes of an encoded file. Throws Error.
  void append(std::span<const uint8_t> image, int32_t label, std::string_view path = {});
  int64_t size() const;
  /// Writes what is buffered, the labels and the checksum; returns the checksum: XXH64 (seed 0, 16 hex digits) over
  /// (int32 label, int64 byte count, bytes) of each picture in order, integers little endian.
  std::string end();

 private:
  friend class Hdf5DatasetWriter;
  struct Impl;
  explicit Hdf5SplitWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// `path` is truncated: pass the temporary path that write_atomically gives.
class Hdf5DatasetWriter {
 public:
  explicit Hdf5DatasetWriter(const std::filesystem::path& path);
  ~Hdf5DatasetWriter();

  /// `name` is train, val or test.
  Hdf5SplitWriter begin_split(const std::string& name, const SplitFormat& format);
  /// Checks that every label has a class name, writes the metadata, closes the file. All splits have ended.
  void finish(const DatasetMetadata& metadata);

 private:
  friend class Hdf5SplitWriter;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
