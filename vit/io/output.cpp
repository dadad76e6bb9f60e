#include "vit/io/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <streambuf>
#include <string>
#include <system_error>
#include <utility>

#include "vit/io/atomic_file.h"
#include "vit/io/descriptor.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;

FileId id_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? std::optional(info) : std::nullopt;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// The number behind names like /dev/stdout, /dev/fd/63 and /proc/self/fd/63.
std::optional<int> named_descriptor(fs::path path) {
  constexpr int kMostLinks = 40;
  const fs::path own = concat("/proc/", ::getpid(), "/fd");
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
    const fs::path folder = fs::canonical(folder_of(path), error);
    if (error) return std::nullopt;
    if (folder == own) {
      const std::string name = path.filename().string();
      int number = -1;
      const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
      return fault == std::errc{} && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
    }
    const fs::path target = fs::read_symlink(path, error);
    if (error) return std::nullopt;
    path = folder / target;
  }
  return std::nullopt;
}

/// What is open already. Opening it by its name would begin a file anew, and fail for a socket.
std::optional<int> open_descriptor(const fs::path& path) {
  if (path == "-") return STDOUT_FILENO;
  if (const auto number = named_descriptor(path)) return number;
  const auto info = status_of(path);
  struct stat standard {};
  const bool same =
      info && !S_ISCHR(info->st_mode) && ::fstat(STDOUT_FILENO, &standard) == 0 && id_of(*info) == id_of(standard);
  return same ? std::optional(STDOUT_FILENO) : std::nullopt;
}

bool is_stream(const struct stat& info) {
  return S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode);
}

class DescriptorBuffer : public std::streambuf {
 public:
  DescriptorBuffer(int fd, fs::path name) : fd_(fd), name_(std::move(name)), by_lines_(::isatty(fd) == 1) {}

 protected:
  int_type overflow(int_type c) override {
    const char letter = traits_type::to_char_type(c);
    if (!traits_type::eq_int_type(c, traits_type::eof())) xsputn(&letter, 1);
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    constexpr std::size_t kMost = 1 << 16;
    const std::string_view added(text, static_cast<std::size_t>(size));
    pending_ += added;
    if (pending_.size() >= kMost || (by_lines_ && added.find('\n') != std::string_view::npos)) sync();
    return size;
  }
  int sync() override {
    const std::string pending = std::exchange(pending_, {});
    if (write_fully(fd_, pending)) return 0;
    const int error = errno;
    if (error == EPIPE) throw BrokenPipe(ErrorKind::io, concat("[file] nobody reads ", name_.string(), " any more"));
    fail(ErrorKind::io, "[file] cannot write ", name_.string(), ": ", std::strerror(error),
         error == ENOSPC ? "; is the disk full?" : "");
  }

 private:
  int fd_;
  fs::path name_;
  bool by_lines_;  // somebody watches
  std::string pending_;
};

void write_to(int fd, const fs::path& name, const std::function<void(std::ostream&)>& write) {
  DescriptorBuffer buffer(fd, name);
  std::ostream out(&buffer);
  out.exceptions(std::ios::badbit);  // what the buffer throws is passed on
  write(out);
  out.flush();
}

void write_by_name(const fs::path& path, int flags, const std::function<void(std::ostream&)>& write) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags));
  if (file.get() < 0) fail_system("open", path);
  write_to(file.get(), path, write);
  if (file.close() != 0) fail_system("write", path);
}

[[noreturn]] void refuse(const fs::path& path, std::string_view why) {
  fail(ErrorKind::usage, "[file] cannot write ", path.string(), ": ", why);
}

/// The folder that the file will lie in, or the one that its folders will be made in, can be written.
void check_folder(const Output& output) {
  const fs::path wanted = folder_of(output.path);
  fs::path folder = wanted;
  std::error_code error;
  while (output.kind == OutputKind::in_folder && !fs::exists(folder, error) && folder_of(folder) != folder)
    folder = folder_of(folder);
  if (!fs::is_directory(folder, error))
    fail(ErrorKind::io, "[file] cannot write ", output.path.string(), ": there is no folder ", folder.string());
  if (::access(folder.c_str(), W_OK) != 0) fail_system("write into the folder", folder);
}

/// Throws unless the output can be written; its file when it has one that would be replaced.
std::optional<FileId> check_output(const Output& output) {
  const fs::path& path = output.path;
  if (!path.has_filename()) refuse(path, "it names no file");
  const auto descriptor = open_descriptor(path);
  const bool opened = descriptor.has_value();
  const int access = opened ? ::fcntl(*descriptor, F_GETFL) : O_WRONLY;
  if (access < 0 || (access & O_ACCMODE) == O_RDONLY) refuse(path, "it is not open for writing");
  const auto info = status_of(path);
  if (!opened && !info && errno != ENOENT && errno != ENOTDIR) fail_system("write", path);
  if (opened || (info && is_stream(*info))) {
    if (output.kind == OutputKind::text) return std::nullopt;
    refuse(path, "it needs a regular file or a new one");
  }
  if (info && S_ISDIR(info->st_mode)) refuse(path, "it is a folder");
  if (info && !S_ISREG(info->st_mode)) refuse(path, "it needs a regular file or a new one");
  check_folder(output);
  return info ? std::optional(id_of(*info)) : std::nullopt;
}

/// Finds outputs among what is read.
class InputCheck {
 public:
  InputCheck(const std::map<FileId, fs::path>& outputs, ReadBelow read_below)
      : outputs_(outputs), read_below_(read_below) {}

  /// Throws when the file, or one below the folder, is an output.
  void check(const fs::path& path, bool below = false) {
    const auto info = status_of(path);
    if (!info) return;
    if (S_ISDIR(info->st_mode)) {
      if (folders_.insert(id_of(*info)).second) check_below(path);
    } else if (!below || read_below_(path)) {
      const auto same = outputs_.find(id_of(*info));
      if (same != outputs_.end()) refuse(same->second, concat("the same command reads it (", path.string(), ")"));
    }
  }

 private:
  void check_below(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      check(it->path(), true);
  }

  const std::map<FileId, fs::path>& outputs_;
  ReadBelow read_below_;
  std::set<FileId> folders_;  // that were looked into: links may lead in circles
};

/// Where the outputs end up, to see whether two do in one place.
std::string place_of(const Output& output) {
  if (const auto descriptor = open_descriptor(output.path)) return concat("descriptor ", *descriptor);
  const auto info = status_of(output.path);
  if (info && is_stream(*info)) return {};
  if (info) return concat(info->st_dev, ' ', info->st_ino);
  std::error_code error;
  return fs::weakly_canonical(output.path, error).string();
}

}  // namespace

void check_outputs(const std::vector<Output>& outputs, const std::vector<fs::path>& inputs, bool force) {
  check_outputs(
      outputs, inputs, [](const fs::path&) { return false; }, force);
}

void check_outputs(const std::vector<Output>& outputs, const std::vector<fs::path>& inputs, ReadBelow read_below,
                   bool force) {
  std::set<std::string> places;
  std::map<FileId, fs::path> existing;
  for (const Output& output : outputs) {
    if (const auto file = check_output(output)) existing.emplace(*file, output.path);
    const std::string place = place_of(output);
    if (!place.empty() && !places.insert(place).second)
      refuse(output.path, "another output of the same command goes there");
  }
  if (existing.empty()) return;
  InputCheck check(existing, read_below);
  for (const fs::path& input : inputs) check.check(input);
  for (const auto& [file, path] : existing) {
    const auto info = status_of(path);
    if (!force && info && info->st_size > 0)  // an empty one, as mktemp makes it, is there to be filled
      fail(ErrorKind::usage, "[file] ", path.string(), " exists already; --force replaces it");
  }
}

bool is_standard_output(const fs::path& path) { return open_descriptor(path) == STDOUT_FILENO; }

void write_output(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  if (const auto descriptor = open_descriptor(path))
    return write_to(*descriptor, path == "-" ? "standard output" : path, write);
  const auto info = status_of(path);
  if (info && is_stream(*info)) return write_by_name(path, 0, write);
  write_atomically(path, [&](const fs::path& temporary) { write_by_name(temporary, O_TRUNC, write); });
}

void write_output(const fs::path& path, std::string_view contents) {
  write_output(path, [contents](std::ostream& out) { out << contents; });
}

}  // namespace vit
