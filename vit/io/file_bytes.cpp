#include "vit/io/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "vit/core/error.h"

namespace vit {

FileBytes::FileBytes(const std::filesystem::path& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {  // a pipe would wait for its writer
  if (file_.get() < 0) fail_system("open", path_);
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) fail_system("read", path_);
  if (!S_ISREG(info.st_mode)) fail(ErrorKind::io, "[file] cannot read ", path_.string(), ": it is not a regular file");
  size_ = static_cast<uint64_t>(info.st_size);
}

void FileBytes::read(uint64_t place, std::span<uint8_t> out) const {
  if (place > size_ || out.size() > size_ - place)
    fail(ErrorKind::data, "[file] ", path_.string(), " has ", size_, " bytes, ", out.size(), " at ", place,
         " are beyond its end");
  while (!out.empty()) {
    const ssize_t got = ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(place));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system("read", path_);
    if (got == 0) fail(ErrorKind::data, "[file] ", path_.string(), " ends early; was it cut while in use?");
    out = out.subspan(static_cast<std::size_t>(got));
    place += static_cast<uint64_t>(got);
  }
}

}  // namespace vit
