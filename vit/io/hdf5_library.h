// What the sources that write through the HDF5 library share; no other file includes this.
#pragma once

#include <hdf5.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/io/hdf5_driver.h"
#include "vit/io/hdf5_type.h"

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

/// On disk; memory is little endian too (checksum.cpp asserts it), so the same type serves there.
hid_t library_type(Type type);

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
  explicit OpenFile(std::filesystem::path file_path) : path(std::move(file_path)), device(path) {}
  ~OpenFile();

  std::filesystem::path path;
  Device device;
  Handle file;
  std::map<std::string, GrowingDataset> growing;

  /// The error of the library's last call as one of ours: "[hdf5] cannot <what> <name> in <file>: <reason>";
  /// no name is the file itself.
  [[noreturn]] void fail_call(ErrorKind kind, std::string_view what, std::string_view name) const;
  /// Throws when a write has failed.
  void check_writes() const;
};

/// Throws unless it is an absolute path.
void check_name(const std::string& name);
/// True when the object is there.
bool object_exists(const OpenFile& file, const std::string& name);
Handle open_object(const OpenFile& file, const std::string& name);
/// Makes the groups above `name`.
void make_parents(const OpenFile& file, const std::string& name);
/// Creates a dataset with checksums on chunks of about 1 MiB and writes `data`, which is of the same type.
void write_dataset(OpenFile& file, const std::string& name, const std::vector<int64_t>& shape, hid_t type,
                   const void* data);

}  // namespace vit::h5
