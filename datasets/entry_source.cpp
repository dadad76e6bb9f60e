#include "datasets/entry_source.h"

#include <algorithm>
#include <system_error>

#include "datasets/archive.h"
#include "datasets/natural_order.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

/// Walks a folder; links are followed except back to a folder that the walk is in.
class FolderWalk {
 public:
  explicit FolderWalk(const fs::path& root) : root_(root) {}

  std::vector<std::string> files() && {
    enter("");
    std::sort(files_.begin(), files_.end(), natural_path_less);
    return std::move(files_);
  }

 private:
  [[noreturn]] void fail_at(const fs::path& folder, const std::error_code& error) const {
    fail(ErrorKind::io, "[folder] cannot read the folder ", folder.string(), ": ", error.message());
  }

  void enter(const std::string& prefix) {
    const fs::path folder = prefix.empty() ? root_ : root_ / prefix;
    std::error_code error;
    fs::path real = fs::canonical(folder, error);
    if (error) fail_at(folder, error);
    if (std::find(inside_.begin(), inside_.end(), real) != inside_.end()) return;
    inside_.push_back(std::move(real));
    fs::directory_iterator item(folder, error);
    for (; !error && item != fs::directory_iterator(); item.increment(error)) add(*item, prefix);
    if (error) fail_at(folder, error);
    inside_.pop_back();
  }

  void add(const fs::directory_entry& item, const std::string& prefix) {
    const std::string name = prefix + item.path().filename().string();
    if (is_hidden(name)) return;
    std::error_code error;
    const fs::file_status status = item.status(error);
    if (fs::is_directory(status)) {
      enter(name + "/");
    } else if (fs::is_regular_file(status)) {
      files_.push_back(name);
    } else if (!fs::exists(status)) {
      files_.push_back(name);  // a link to nowhere: reading it tells, so that nothing is left out unseen
    }
  }

  fs::path root_;
  std::vector<fs::path> inside_;
  std::vector<std::string> files_;
};

class FolderStream : public EntryStream {
 public:
  explicit FolderStream(const fs::path& root) : root_(root), files_(list_folder(root)) {}

  bool next(std::string& path) override {
    if (at_ == files_.size()) return false;
    path = files_[at_++];
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    try {
      const std::string content = read_file(root_ / files_[at_ - 1], limit);
      bytes.assign(content.begin(), content.end());
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  }

 private:
  fs::path root_;
  std::vector<std::string> files_;
  size_t at_ = 0;
};

class FolderSource : public EntrySource {
 public:
  explicit FolderSource(const fs::path& path) : path_(path) {}
  const fs::path& path() const override { return path_; }
  std::unique_ptr<EntryStream> begin_pass() const override { return std::make_unique<FolderStream>(path_); }

 private:
  fs::path path_;
};

class ArchiveSource : public EntrySource {
 public:
  ArchiveSource(const fs::path& path, const SourceLimits& limits) : path_(path), limits_(limits) {}
  const fs::path& path() const override { return path_; }
  std::unique_ptr<EntryStream> begin_pass() const override { return read_archive(path_, limits_); }

 private:
  fs::path path_;
  SourceLimits limits_;
};

}  // namespace

std::unique_ptr<EntrySource> open_source(const fs::path& path, const SourceLimits& limits) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return std::make_unique<FolderSource>(path);
  if (fs::is_regular_file(status)) return std::make_unique<ArchiveSource>(path, limits);
  fail(ErrorKind::io, "[source] ", path.string(),
       ": needs a folder or an archive (.tar, .tar.gz, .tar.xz, .zip): ", error ? error.message() : "it is neither");
}

std::vector<std::string> list_folder(const fs::path& folder) { return FolderWalk(folder).files(); }

bool is_hidden(const std::string& path) {
  return path.starts_with('.') || path.find("/.") != std::string::npos || path.starts_with("__MACOSX/");
}

}  // namespace vit
