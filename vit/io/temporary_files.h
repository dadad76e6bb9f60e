// The temporary files of this process, so that a program that ends on a signal can remove them first.
#pragma once

#include <filesystem>
#include <mutex>

namespace vit {

/// A file under a temporary name, known from before it is created; what is still there at the end is removed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Like rename(2), with errno.
  int rename_to(const std::filesystem::path& target);

 private:
  std::filesystem::path path_;
};

/// To be held while the file is created, so that it is not removed first and created then. Holds nothing where `path`
/// is no temporary file.
std::unique_lock<std::timed_mutex> lock_creation(const std::filesystem::path& path);

/// For a program that ends now, from a thread of its own (not from a signal handler): removes them all. Whoever creates
/// or renames one afterwards waits for ever.
void remove_temporary_files();

}  // namespace vit
