#include "vit/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "vit/core/error.h"
#include "vit/io/temporary_files.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_system(const char* what, const fs::path& path) {
  const int error = errno;
  fail(ErrorKind::io, "[file] cannot ", what, " ", path.string(), ": ", std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// Some file systems report a failed write only here.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int fd;
  std::unique_lock<std::timed_mutex> creation;
  if ((flags & O_CREAT) != 0) creation = lock_creation(path);
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Unique among the processes and threads that write beside `path`.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  const std::string stem = path.filename().string().substr(0, 200);  // names end at 255 bytes
  const std::string name = concat(".", stem, ".tmp-", ::getpid(), "-", counter.fetch_add(1));
  return path.parent_path() / name;
}

/// The file that a symbolic link stands for is replaced, not the link.
fs::path resolve_target(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return path;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

void sync_file(const fs::path& path) {
  Descriptor file(open_retrying(path, O_RDONLY));
  if (file.get() < 0) fail_system("open", path);
  if (::fsync(file.get()) != 0) fail_system("sync", path);
}

/// Makes the rename last through a power cut. Some file systems cannot sync folders: the file is whole anyway.
void sync_folder(const fs::path& folder) {
  Descriptor dir(open_retrying(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY));
  if (dir.get() >= 0) ::fsync(dir.get());
}

/// A device or a pipe, which must not be replaced by a file.
bool is_special(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void write_all(const fs::path& path, std::string_view contents) {
  Descriptor file(open_retrying(path, O_WRONLY | O_CREAT | O_TRUNC, 0666));
  if (file.get() < 0) fail_system("create", path);
  while (!contents.empty()) {
    const ssize_t written = ::write(file.get(), contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_system("write", path);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  if (file.close() != 0) fail_system("write", path);
}

}  // namespace

void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path target = resolve_target(path);
  if (!target.has_filename()) fail(ErrorKind::io, "[file] '", path.string(), "' names no file");
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_directory(folder, error))
    fail(ErrorKind::io, "[file] cannot write ", path.string(), ": there is no folder ", folder.string());
  if (fs::is_directory(target, error)) fail(ErrorKind::io, "[file] cannot write ", path.string(), ": it is a folder");
  if (is_special(target)) fail(ErrorKind::io, "[file] cannot write ", path.string(), ": it is not a regular file");

  TemporaryFile temporary(temporary_name(target));
  write(temporary.path());
  sync_file(temporary.path());
  // A replaced file keeps its permissions; a new one has what the umask leaves.
  struct stat old {};
  if (::stat(target.c_str(), &old) == 0 && ::chmod(temporary.path().c_str(), old.st_mode & 07777) != 0)
    fail_system("set the permissions of", temporary.path());
  if (temporary.rename_to(target) != 0) fail_system("rename to", target);
  sync_folder(folder);
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  if (is_special(path)) return write_all(path, contents);
  write_atomically(path, [&](const fs::path& temporary) { write_all(temporary, contents); });
}

std::string read_file(const fs::path& path, int64_t max_bytes) {
  Descriptor file(open_retrying(path, O_RDONLY));
  if (file.get() < 0) fail_system("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail_system("read", path);
  if (S_ISDIR(info.st_mode)) fail(ErrorKind::io, "[file] cannot read ", path.string(), ": it is a folder");
  if (info.st_size > max_bytes)
    fail(ErrorKind::data, "[file] ", path.string(), " has ", info.st_size, " bytes, at most ", max_bytes, " are read");

  // Read to the end, not to st_size: pipes have none, and files grow.
  std::string contents;
  std::size_t used = 0;
  for (;;) {
    constexpr std::size_t kStep = std::size_t{1} << 16;
    const auto expected = static_cast<std::size_t>(info.st_size);
    contents.resize(used < expected ? expected + 1 : used + kStep);
    const ssize_t got = ::read(file.get(), contents.data() + used, contents.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system("read", path);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > static_cast<std::size_t>(max_bytes))
      fail(ErrorKind::data, "[file] ", path.string(), " has more than the ", max_bytes, " bytes that are read");
  }
  contents.resize(used);
  return contents;
}

void refuse_overwrite(const fs::path& path, bool force) {
  std::error_code error;
  if (!force && fs::exists(fs::symlink_status(path, error)))
    fail(ErrorKind::usage, "[file] ", path.string(), " exists already; --force replaces it");
}

}  // namespace vit
