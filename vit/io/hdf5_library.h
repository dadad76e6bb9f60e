// What the sources that speak to the HDF5 library share; no other file includes this.
#pragma once

#include <hdf5.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/io/hdf5.h"
#include "vit/io/hdf5_driver.h"

namespace vit::h5 {

/// Held around every use of the library; its own printing of errors is off meanwhile.
class LibraryLock {
 public:
  LibraryLock();
  ~LibraryLock();
  LibraryLock(const LibraryLock&) = delete;
  LibraryLock& operator=(const LibraryLock&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
};

const char* type_name(Type type);
/// On disk; memory is little endian too (checksum.cpp asserts it), so the same type serves there.
hid_t library_type(Type type);
template <class T>
constexpr Type type_of();
template <>
constexpr Type type_of<uint8_t>() {
  return Type::u8;
}
template <>
constexpr Type type_of<int8_t>() {
  return Type::i8;
}
template <>
constexpr Type type_of<int32_t>() {
  return Type::i32;
}
template <>
constexpr Type type_of<int64_t>() {
  return Type::i64;
}
template <>
constexpr Type type_of<float>() {
  return Type::f32;
}

/// Owns an identifier of the library. Made and dropped under the lock.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }
  bool reset() { return id_ < 0 || close_(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

struct GrowingDataset {
  Handle dataset;
  hsize_t rows = 0;
  std::vector<hsize_t> row_shape;
};

struct OpenFile {
  OpenFile(std::filesystem::path file_path, Device::Mode mode) : path(std::move(file_path)), device(path, mode) {}
  ~OpenFile();

  std::filesystem::path path;
  Device device;
  Handle file;
  bool writable = false;
  std::map<std::string, GrowingDataset> growing;

  /// The error of the library's last call as one of ours: "[hdf5] cannot <what> <name> in <file>: <reason>";
  /// no name is the file itself.
  [[noreturn]] void fail_call(ErrorKind kind, std::string_view what, std::string_view name) const;
  /// Something about an object is wrong: "[hdf5] <name> in <file> <fault>".
  template <class... Parts>
  [[noreturn]] void fail_object(std::string_view name, const Parts&... fault) const {
    fail(ErrorKind::data, "[hdf5] ", name, " in ", path.string(), " ", fault...);
  }
  /// Throws when a write has failed or the file is not open for writing.
  void check_writable(std::string_view name) const;
};

/// A dataset that was checked: one we can read without surprises from other files, plug-ins or sizes.
struct OpenedDataset {
  Handle dataset;
  Handle type;
  Handle creation;  // its property list
  std::vector<int64_t> shape;
  int64_t count = 1;  // of elements
  int64_t stored_bytes = 0;
};

/// Where the bytes of a dataset lie, for reads beside the library.
struct StoredChunks {
  int64_t rows = 0;
  int64_t row_bytes = 0;
  int64_t rows_per_chunk = 0;
  std::vector<int64_t> places;  // offset of each chunk in the file

  int64_t chunk_bytes() const { return rows_per_chunk * row_bytes; }
};

/// Throws unless it is an absolute path.
void check_name(const std::string& name);
/// True when the object is there, reached by hard links only.
bool object_exists(const OpenFile& file, const std::string& name);
Handle open_object(const OpenFile& file, const std::string& name);
/// Invalid when there is no such object.
Handle find_object(const OpenFile& file, const std::string& name);
OpenedDataset open_dataset(const OpenFile& file, const std::string& name, const Handle& access = {});
/// Nothing when there is no such object.
std::optional<OpenedDataset> find_dataset(const OpenFile& file, const std::string& name, const Handle& access = {});
/// The element type when it is one of ours.
Type element_type(const OpenFile& file, const std::string& name, const OpenedDataset& dataset);
/// No places unless all chunks are rows of bytes followed by their Fletcher32 sum and nothing else.
StoredChunks find_chunks(OpenFile& file, const std::string& name, const OpenedDataset& dataset);
/// Part of a chunk, not verified; without the lock.
void read_stored(const OpenFile& file, const std::string& name, int64_t offset, std::span<uint8_t> out);
/// Rows of a chunk from `first_row` of it on, as many as `out` holds, when its sum is right; without the lock.
void read_verified(const OpenFile& file, const std::string& name, const StoredChunks& chunks, int64_t index,
                   int64_t first_row, std::span<uint8_t> out);
/// Rows of a byte dataset.
void read_dataset_rows(const OpenFile& file, const std::string& name, const OpenedDataset& dataset, int64_t begin,
                       int64_t count, std::span<uint8_t> out);

/// Makes the groups above `name`.
void make_parents(const OpenFile& file, const std::string& name);
/// Creates a dataset with checksums on chunks of about 1 MiB and writes `data`, which is of the same type.
void write_dataset(OpenFile& file, const std::string& name, const std::vector<int64_t>& shape, hid_t type,
                   const void* data);

}  // namespace vit::h5
