// The files of a folder or of an archive, one after another, in the same order at each pass. Nothing is unpacked to
// disk, so paths that are absolute or hold ".." are only names.
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

/// One pass.
class EntryStream {
 public:
  virtual ~EntryStream() = default;
  /// Moves to the next regular file; false after the last. `path` is relative, with '/'. Throws Error that names the
  /// source when it cannot be read on.
  virtual bool next(std::string& path) = 0;
  /// The content of the current file, at most once. Returns what is wrong with this file alone (no permission, a bad
  /// checksum, more than `limit` bytes), empty when nothing is.
  virtual std::string read(std::vector<uint8_t>& bytes, int64_t limit) = 0;
};

class EntrySource {
 public:
  virtual ~EntrySource() = default;
  virtual const std::filesystem::path& path() const = 0;
  virtual std::unique_ptr<EntryStream> begin_pass() const = 0;
};

/// A folder (with all below it, in natural order; symbolic links are followed) or an archive (in its own order).
/// Throws Error (io) when there is no such thing.
std::unique_ptr<EntrySource> open_source(const std::filesystem::path& path, const SourceLimits& limits = {});

/// The files below a folder as the source lists them, for those who open them by themselves.
std::vector<std::string> list_folder(const std::filesystem::path& folder);

/// True for what people do not see: a component that begins with '.', and __MACOSX of zip files.
bool is_hidden(const std::string& path);

}  // namespace vit
