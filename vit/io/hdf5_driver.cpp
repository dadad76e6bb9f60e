#include "vit/io/hdf5_driver.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "vit/core/error.h"
#include "vit/io/temporary_files.h"

namespace vit::h5 {

Device::Device(const std::filesystem::path& path) {
  std::unique_lock<std::timed_mutex> creation = lock_creation(path);
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (creation) creation.unlock();
  if (fd_ < 0) fail(ErrorKind::io, "[hdf5] cannot create ", path.string(), ": ", std::strerror(errno));
  struct stat info {};
  const bool regular = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular) {
    ::close(fd_);
    fail(ErrorKind::io, "[hdf5] cannot create ", path.string(), ": it is not a regular file");
  }
}

Device::~Device() { close(); }

void Device::close() {
  if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0 && write_error_ == 0) write_error_ = errno;
}

bool Device::read(uint64_t offset, uint8_t* out, std::size_t size) const {
  while (size > 0) {
    const ssize_t got = ::pread(fd_, out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    out += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  std::memset(out, 0, size);
  return true;
}

void Device::write(uint64_t offset, const uint8_t* bytes, std::size_t size) {
  size_ = std::max(size_, static_cast<int64_t>(offset + size));
  while (size > 0) {
    const ssize_t written = ::pwrite(fd_, bytes, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (write_error_ == 0) write_error_ = errno;
      return;
    }
    bytes += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<std::size_t>(written);
  }
}

void Device::resize(uint64_t size) {
  if (static_cast<uint64_t>(size_) == size) return;
  size_ = static_cast<int64_t>(size);
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0 && write_error_ == 0) write_error_ = errno;
}

namespace {

constexpr haddr_t kMaxAddress = (haddr_t{1} << 62) - 1;

struct AccessInfo {
  Device* device;
};

struct OpenedFile : H5FD_t {
  Device* device;
  haddr_t allocated;
};

Device& device_of(const H5FD_t* file) { return *static_cast<const OpenedFile*>(file)->device; }

H5FD_t* driver_open(const char*, unsigned, hid_t access_list, haddr_t) {
  const auto* info = static_cast<const AccessInfo*>(H5Pget_driver_info(access_list));
  if (info == nullptr) return nullptr;
  auto* file = new (std::nothrow) OpenedFile{};
  if (file != nullptr) file->device = info->device;
  return file;
}

herr_t driver_close(H5FD_t* file) {
  delete static_cast<OpenedFile*>(file);
  return 0;
}

// What the library may do to save calls; the same as for its own driver of plain files.
herr_t driver_query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t driver_get_eoa(const H5FD_t* file, H5FD_mem_t) { return static_cast<const OpenedFile*>(file)->allocated; }

herr_t driver_set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  static_cast<OpenedFile*>(file)->allocated = address;
  return 0;
}

haddr_t driver_get_eof(const H5FD_t* file, H5FD_mem_t) { return static_cast<haddr_t>(device_of(file).size()); }

bool in_range(haddr_t address, std::size_t size) { return address <= kMaxAddress && size <= kMaxAddress - address; }

herr_t driver_read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  if (!in_range(address, size)) return -1;
  return device_of(file).read(address, static_cast<uint8_t*>(buffer), size) ? 0 : -1;
}

herr_t driver_write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, const void* buffer) {
  if (!in_range(address, size)) return -1;
  device_of(file).write(address, static_cast<const uint8_t*>(buffer), size);
  return 0;
}

herr_t driver_truncate(H5FD_t* file, hid_t, hbool_t) {
  device_of(file).resize(static_cast<OpenedFile*>(file)->allocated);
  return 0;
}

const H5FD_class_t& driver_class() {
  static const H5FD_class_t driver = [] {
    H5FD_class_t c{};
#ifdef H5FD_CLASS_VERSION
    c.version = H5FD_CLASS_VERSION;
    c.value = static_cast<H5FD_class_value_t>(513);  // of the range that is left to applications
#endif
    c.name = "vit";
    c.maxaddr = kMaxAddress;
    c.fc_degree = H5F_CLOSE_STRONG;
    c.fapl_size = sizeof(AccessInfo);
    c.open = driver_open;
    c.close = driver_close;
    c.query = driver_query;
    c.get_eoa = driver_get_eoa;
    c.set_eoa = driver_set_eoa;
    c.get_eof = driver_get_eof;
    c.read = driver_read;
    c.write = driver_write;
    c.truncate = driver_truncate;
    constexpr H5FD_mem_t kMap[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kMap), std::end(kMap), std::begin(c.fl_map));
    return c;
  }();
  return driver;
}

}  // namespace

herr_t use_device(hid_t access_list, Device& device) {
  static hid_t driver = H5I_INVALID_HID;
  if (H5Iget_type(driver) != H5I_VFL) driver = H5FDregister(&driver_class());  // H5close() would drop it
  const AccessInfo info{&device};
  return driver < 0 ? -1 : H5Pset_driver(access_list, driver, &info);
}

}  // namespace vit::h5
