#include "datasets/entry_source.h"

#include <system_error>
#include <utility>

#include "datasets/archive.h"
#include "datasets/entry_tree.h"
#include "datasets/folder_walk.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

class FolderStream : public EntryStream {
 public:
  FolderStream(fs::path root, std::shared_ptr<const Listing> listing)
      : root_(std::move(root)), listing_(std::move(listing)) {}

  bool next(std::string& path) override {
    if (at_ == listing_->files.size()) return false;
    path = listing_->files[at_++];
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    try {
      const std::string content = read_file(root_ / listing_->files[at_ - 1], limit);
      bytes.assign(content.begin(), content.end());
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  }

 private:
  fs::path root_;
  std::shared_ptr<const Listing> listing_;
  size_t at_ = 0;
};

class FolderSource : public EntrySource {
 public:
  explicit FolderSource(const fs::path& path)
      : path_(path), listing_(std::make_shared<const Listing>(walk_folder(path))) {}

  const fs::path& path() const override { return path_; }
  const Listing& listing() const override { return *listing_; }
  std::unique_ptr<EntryStream> begin_pass() const override { return std::make_unique<FolderStream>(path_, listing_); }

 private:
  fs::path path_;
  std::shared_ptr<const Listing> listing_;
};

/// What is known of an archive after its entries have been listed.
struct ArchiveIndex {
  Listing listing;
  std::vector<int64_t> entries;  // which one holds each of the listing's files, ascending
};

/// Goes through the entries again; one that several files share is read once.
class ArchiveStream : public EntryStream {
 public:
  ArchiveStream(const fs::path& path, const SourceLimits& limits, std::shared_ptr<const ArchiveIndex> index)
      : path_(path), entries_(read_archive(path, limits)), index_(std::move(index)) {}

  bool next(std::string& path) override {
    if (at_ == index_->entries.size()) {
      for (ArchiveEntry entry; !ended_ && entries_->next(entry);) {  // so that damage behind the last file is noticed
      }
      ended_ = true;
      return false;
    }
    path = index_->listing.files[at_];
    const int64_t wanted = index_->entries[at_++];
    if (wanted != entry_) has_content_ = false;
    for (ArchiveEntry entry; entry_ < wanted; ++entry_)
      if (!entries_->next(entry))
        fail(ErrorKind::io, "[archive] ", path_.string(), ": changed while it was read (at ", path, ")");
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    const bool shared = at_ < index_->entries.size() && index_->entries[at_] == entry_;
    if (!shared && !has_content_) return entries_->read(bytes, limit);
    if (!has_content_) fault_ = entries_->read(content_, limit);
    has_content_ = true;
    bytes = content_;
    return fault_;
  }

 private:
  fs::path path_;
  std::unique_ptr<ArchiveEntries> entries_;
  std::shared_ptr<const ArchiveIndex> index_;
  size_t at_ = 0;       // in the listing
  int64_t entry_ = -1;  // in the archive
  bool ended_ = false;
  bool has_content_ = false;  // of an entry that several files share
  std::vector<uint8_t> content_;
  std::string fault_;
};

class ArchiveSource : public EntrySource {
 public:
  ArchiveSource(const fs::path& path, const SourceLimits& limits) : path_(path), limits_(limits) {
    EntryTree tree(path.string());
    const auto entries = read_archive(path, limits);
    for (ArchiveEntry entry; entries->next(entry);) tree.add(entry);
    auto index = std::make_shared<ArchiveIndex>();
    for (EntryTree::File& file : tree.list(index->listing)) {
      index->listing.files.push_back(std::move(file.path));
      index->entries.push_back(file.entry);
    }
    index_ = std::move(index);
  }

  const fs::path& path() const override { return path_; }
  const Listing& listing() const override { return index_->listing; }
  std::unique_ptr<EntryStream> begin_pass() const override {
    return std::make_unique<ArchiveStream>(path_, limits_, index_);
  }

 private:
  fs::path path_;
  SourceLimits limits_;
  std::shared_ptr<const ArchiveIndex> index_;
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

bool is_hidden(const std::string& path) {
  return path.starts_with('.') || path.find("/.") != std::string::npos || path.starts_with("__MACOSX/") ||
         path.find("/__MACOSX/") != std::string::npos || path == "__MACOSX" || path.ends_with("/__MACOSX");
}

}  // namespace vit
