// Entries of an archive as the tree of files that unpacking them in order would leave.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/archive_entries.h"
#include "datasets/entry_source.h"

namespace vit {

/// Later entries replace earlier ones of the same name, except that a folder stays one. Absolute names and ".." are
/// taken below the top, and noted. A link leads to what it names inside the archive, and is a fault where that is
/// nothing.
class EntryTree {
 public:
  struct File {
    std::string path;
    int64_t entry = 0;  // whose content it has; several files may have one
  };

  /// `archive`: named in errors and notes.
  explicit EntryTree(std::string archive);
  ~EntryTree();

  /// Entries are numbered 0, 1, ... in the order of `add`.
  void add(const ArchiveEntry& entry);

  /// The files in the order of their entries; the rest of the listing (all but files) goes to `listing`. Throws Error
  /// (data) when links multiply the files without end.
  std::vector<File> list(Listing& listing) const;

 private:
  struct Folder;
  struct Child;
  class Walk;

  Folder& folder_at(std::string_view path);
  Child& child_at(const std::string& path);
  const Child* find(const Folder& from, std::string_view path, const Folder** holder) const;
  const Child* find(const Folder& from, std::string_view path, int& hops, const Folder** holder) const;

  std::string archive_;
  std::unique_ptr<Folder> root_;
  std::map<int64_t, std::string> targets_;  // of links, by entry
  std::vector<EntryFault> faults_;          // of names
  int64_t next_ = 0;
  int64_t renamed_ = 0;
  std::string first_renamed_;
};

}  // namespace vit
