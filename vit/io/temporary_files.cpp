#include "vit/io/temporary_files.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <set>
#include <utility>

namespace vit {
namespace {

struct Registry {
  std::timed_mutex mutex;
  std::set<std::filesystem::path> paths;
};

// Never destroyed: a signal may come while the program ends.
Registry& registry() {
  static Registry& one = *new Registry;
  return one;
}

}  // namespace

std::unique_lock<std::timed_mutex> lock_creation(const std::filesystem::path& path) {
  std::unique_lock held(registry().mutex);
  if (!registry().paths.contains(path)) held.unlock();
  return held;
}

TemporaryFile::TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {
  const std::lock_guard held(registry().mutex);
  registry().paths.insert(path_);
}

TemporaryFile::~TemporaryFile() {
  const std::lock_guard held(registry().mutex);
  if (registry().paths.erase(path_) > 0) ::unlink(path_.c_str());
}

int TemporaryFile::rename_to(const std::filesystem::path& target) {
  const std::lock_guard held(registry().mutex);
  const int result = std::rename(path_.c_str(), target.c_str());
  if (result == 0) registry().paths.erase(path_);
  return result;
}

void remove_temporary_files() {
  // Who holds it may hang in a file system that is gone.
  std::unique_lock held(registry().mutex, std::chrono::seconds(2));
  if (!held) return;
  for (const std::filesystem::path& path : registry().paths) ::unlink(path.c_str());
  held.release();
}

}  // namespace vit
