// The file as the HDF5 library sees it, which only writes. Our own driver, because the library (1.10 at least) keeps a
// dead file in its tables when a write fails while it closes, and crashes on it later: this driver never tells it of a
// failed write, but keeps the error for the caller, who then gives the file up.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>

namespace vit::h5 {

/// An open file of the system and the first error of a write to it.
class Device {
 public:
  /// Creates or truncates the file. Throws Error (io) when the system refuses.
  explicit Device(const std::filesystem::path& path);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  int64_t size() const { return size_; }
  /// errno of the first failed write, 0 when none did.
  int write_error() const { return write_error_; }
  /// Also notes what the system reports only now.
  void close();

  // For the driver. Bytes after the end read as zeros, as the library expects of space it has not written yet.
  bool read(uint64_t offset, uint8_t* out, std::size_t size) const;
  void write(uint64_t offset, const uint8_t* bytes, std::size_t size);
  void resize(uint64_t size);

 private:
  int fd_ = -1;
  int64_t size_ = 0;
  int write_error_ = 0;
};

/// Makes files opened with the access list go through `device`, which must outlive them. Negative on failure.
herr_t use_device(hid_t access_list, Device& device);

}  // namespace vit::h5
