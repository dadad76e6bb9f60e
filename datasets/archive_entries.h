// The entries of an archive one by one, whatever its form; entry_tree makes a tree of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "vit/core/error.h"

namespace vit {

enum class EntryKind { file, folder, symbolic_link, hard_link, other };

struct ArchiveEntry {
  std::string name;  // the archive's bytes, with '/' between folders
  EntryKind kind = EntryKind::file;
  std::string target;  // of links
};

/// One pass over an archive.
class ArchiveEntries {
 public:
  virtual ~ArchiveEntries() = default;
  /// Moves to the next entry; false after the last. Throws Error (data) that names the archive when it cannot be read.
  virtual bool next(ArchiveEntry& entry) = 0;
  /// The content of the current file, as EntryStream::read.
  virtual std::string read(std::vector<uint8_t>& bytes, int64_t limit) = 0;
};

/// Adds to `bytes`, which is emptied first, what `read_some(to, room)` gives until it gives 0. Returns what is wrong,
/// empty when nothing is: more than `limit` bytes, or `fault()` after a negative answer. Memory grows with what is
/// really there, not with what a header claims.
template <class ReadSome, class Fault>
std::string read_to_end(std::vector<uint8_t>& bytes, int64_t limit, const ReadSome& read_some, const Fault& fault) {
  bytes.clear();
  while (true) {
    const size_t have = bytes.size();
    if (static_cast<int64_t>(have) > limit) return concat("holds more than ", limit, " bytes");
    const size_t room = std::clamp<size_t>(have, 16 << 10, 8 << 20);
    bytes.resize(have + room);
    const int64_t got = read_some(bytes.data() + have, room);
    bytes.resize(have + static_cast<size_t>(std::max<int64_t>(0, got)));
    if (got == 0) return {};
    if (got < 0) return fault();
  }
}

}  // namespace vit
