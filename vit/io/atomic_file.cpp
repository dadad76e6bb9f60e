#include "vit/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <system_error>

#include "vit/core/error.h"
#include "vit/io/descriptor.h"
#include "vit/io/temporary_files.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int fd;
  std::unique_lock<std::timed_mutex> creation;
  if ((flags & O_CREAT) != 0) creation = lock_creation(path);
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Unique among the processes and threads that write beside `path`, and not that of a file which a killed process of
/// the same number has left; no longer than file systems with short names take.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  const std::string stem = cut_name(path.filename().string(), 100);
  std::error_code error;
  fs::path name;
  do {
    name = path.parent_path() / concat(".", stem, ".tmp-", ::getpid(), "-", counter.fetch_add(1));
  } while (fs::exists(fs::symlink_status(name, error)));
  return name;
}

/// The file that a symbolic link stands for is replaced, not the link.
fs::path resolve_target(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return path;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

/// What the new file takes over from the one that it replaces.
struct Permissions {
  bool known = false;  // false: there is no old file
  mode_t mode = 0;
};

/// An empty file that nobody may read who could not read the old one, before anything is in it.
Permissions create_temporary(const fs::path& temporary, const fs::path& target) {
  struct stat old {};
  const bool replaces = ::stat(target.c_str(), &old) == 0;
  Descriptor file(open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, replaces ? 0600 : 0666));
  if (file.get() < 0) fail_system("create", temporary);
  if (!replaces) return {};
  mode_t mode = old.st_mode & 07777;
  // Another group must not get what the old one had.
  if (::fchown(file.get(), old.st_uid, old.st_gid) != 0 &&
      ::fchown(file.get(), static_cast<uid_t>(-1), old.st_gid) != 0)
    mode &= ~static_cast<mode_t>(070);
  // Our own right to write, which an old file may lack, goes when all is written.
  if (::fchmod(file.get(), mode | S_IRUSR | S_IWUSR) != 0) fail_system("set the permissions of", temporary);
  return {true, mode};
}

void finish_temporary(const fs::path& temporary, const Permissions& permissions) {
  Descriptor file(open_retrying(temporary, O_RDONLY));
  if (file.get() < 0) fail_system("open", temporary);
  if (::fsync(file.get()) != 0) fail_system("sync", temporary);
  if (permissions.known && ::fchmod(file.get(), permissions.mode) != 0)
    fail_system("set the permissions of", temporary);
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
  Descriptor file(open_retrying(path, O_WRONLY));
  if (file.get() < 0) fail_system("open", path);
  if (!write_fully(file.get(), contents) || file.close() != 0) fail_system("write", path);
}

void replace(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path target = resolve_target(path);
  if (!target.has_filename()) fail(ErrorKind::io, "[file] '", path.string(), "' names no file");
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_directory(folder, error))
    fail(ErrorKind::io, "[file] cannot write ", path.string(), ": there is no folder ", folder.string());
  if (fs::is_directory(target, error)) fail(ErrorKind::io, "[file] cannot write ", path.string(), ": it is a folder");
  if (is_special(target)) fail(ErrorKind::io, "[file] cannot write ", path.string(), ": it is not a regular file");

  TemporaryFile temporary(temporary_name(target));
  const Permissions permissions = create_temporary(temporary.path(), target);
  write(temporary.path());
  finish_temporary(temporary.path(), permissions);
  if (temporary.rename_to(target) != 0) fail_system("rename to", target);
  sync_folder(folder);
}

}  // namespace

void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  replace(path, [&](const fs::path& temporary) {
    write(temporary);
    std::error_code error;
    if (fs::file_size(temporary, error) == 0 || error)
      fail(ErrorKind::io, "[file] nothing was written to ", path.string());
  });
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  if (is_special(path)) return write_all(path, contents);
  replace(path, [&](const fs::path& temporary) { write_all(temporary, contents); });
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

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail(ErrorKind::io, "[file] cannot make the folder ", folder.string(), ": ", error.message());
}

std::string cut_name(std::string_view name, std::size_t most) {
  if (name.size() <= most) return std::string(name);
  std::size_t end = most;
  for (int i = 0; i < 3 && end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80; ++i) --end;
  return std::string(name.substr(0, end));
}

}  // namespace vit
