// The files of a folder or of an archive, one after another, in the same order at each pass. Nothing is unpacked to
// disk. Names are bytes, as file systems have them, in every locale.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace vit {

struct SourceLimits {
  int64_t max_entries = 50'000'000;
  int64_t max_entry_bytes = int64_t{1} << 30;  // of one file, unpacked
  int64_t max_total_bytes = int64_t{1} << 40;  // of all that is unpacked in one pass
};

/// Something that people would take for a file or a folder and that cannot be read as one.
struct EntryFault {
  std::string path;
  std::string error;
};

/// What lies below a folder, or would lie there when an archive is unpacked. All paths are relative, with '/'.
struct Listing {
  std::vector<std::string> files;    // regular ones, by way of links or not, in the order of a pass
  std::vector<std::string> folders;  // in natural order, each before what it holds
  std::vector<EntryFault> faults;    // in natural order: links to nowhere, closed folders, pipes named like pictures
  int64_t hidden = 0;                // files and folders that were passed over (see is_hidden)
  std::vector<std::string> notes;    // what else people should know, a line each
};

/// One pass.
class EntryStream {
 public:
  virtual ~EntryStream() = default;
  /// Moves to the next of the listing's files; false after the last. Throws Error that names the source when it cannot
  /// be read on.
  virtual bool next(std::string& path) = 0;
  /// The content of the current file, at most once. Returns what is wrong with this file alone (no permission, a bad
  /// checksum, more than `limit` bytes), empty when nothing is.
  virtual std::string read(std::vector<uint8_t>& bytes, int64_t limit) = 0;
};

class EntrySource {
 public:
  virtual ~EntrySource() = default;
  virtual const std::filesystem::path& path() const = 0;
  virtual const Listing& listing() const = 0;
  virtual std::unique_ptr<EntryStream> begin_pass() const = 0;
};

/// A folder (see walk_folder; files in natural order) or an archive (files in its own order, as the tree that
/// unpacking would give: later entries replace earlier ones, links lead to what they name). Reads the list of entries.
/// Throws Error: io when there is no such thing, data when an archive is damaged.
std::unique_ptr<EntrySource> open_source(const std::filesystem::path& path, const SourceLimits& limits = {});

/// True for what people do not see: a component that begins with '.', and __MACOSX of zip files.
bool is_hidden(const std::string& path);

}  // namespace vit
