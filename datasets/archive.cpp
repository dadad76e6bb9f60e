#include "datasets/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "datasets/zip_archive.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr size_t kReadBlock = 256 << 10;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Handle = std::unique_ptr<archive, FreeArchive>;

Handle new_handle() {
  Handle handle(archive_read_new());
  if (!handle) fail(ErrorKind::io, "[archive] no memory");
  return handle;
}

/// The library's words as one line.
std::string reason(archive* a) {
  const char* text = archive_error_string(a);
  std::string line = text != nullptr && *text != '\0' ? text : "damaged";
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

/// Adds the rest of the current entry to `bytes`, as read_to_end. Throws through `broken` when the archive ends here.
template <class Broken>
std::string read_data(archive* a, std::vector<uint8_t>& bytes, int64_t limit, const Broken& broken) {
  la_ssize_t got = 0;
  return read_to_end(
      bytes, limit,
      [&](uint8_t* to, size_t room) {
        got = archive_read_data(a, to, room);
        if (got == ARCHIVE_FATAL) broken(reason(a));
        return static_cast<int64_t>(got);
      },
      [&] { return reason(a); });
}

/// While it lives, the library hands this thread the names of a tar as the bytes that they are. In a locale with a
/// character set of its own it converts them, which merges names that differ as bytes.
class NamesAsBytes {
 public:
  NamesAsBytes() : before_(uselocale(plain())) {}
  ~NamesAsBytes() { uselocale(before_); }
  NamesAsBytes(const NamesAsBytes&) = delete;
  NamesAsBytes& operator=(const NamesAsBytes&) = delete;

 private:
  static locale_t plain() {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C", nullptr);
    return locale;
  }

  locale_t before_;
};

EntryKind kind_of(archive_entry* entry) {
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryKind::file;
    case AE_IFDIR:
      return EntryKind::folder;
    case AE_IFLNK:
      return EntryKind::symbolic_link;
    default:
      return EntryKind::other;
  }
}

std::string text(const char* bytes) { return bytes != nullptr ? bytes : ""; }

class TarEntries : public ArchiveEntries {
 public:
  TarEntries(const std::filesystem::path& path, const SourceLimits& limits)
      : path_(path), limits_(limits), archive_(new_handle()) {
    archive* a = archive_.get();
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    if (std::error_code error; std::filesystem::file_size(path, error) == 0) broken("the file is empty");
    if (archive_read_open_filename(a, path.c_str(), kReadBlock) != ARCHIVE_OK) broken(reason(a));
  }

  bool next(ArchiveEntry& found) override {
    const NamesAsBytes guard;
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_.get(), &entry);
    check_total();
    if (result == ARCHIVE_EOF) {
      check_end();
      return false;
    }
    if (result < ARCHIVE_WARN) broken(reason(archive_.get()));
    if (++entries_ > limits_.max_entries) broken(concat("holds more than ", limits_.max_entries, " entries"));
    found.name = entry_ = text(archive_entry_pathname(entry));
    if (entry_.empty()) broken("an entry without a name");
    found.kind = kind_of(entry);
    found.target.clear();
    if (const char* target = archive_entry_hardlink(entry); target != nullptr && archive_entry_size(entry) == 0) {
      found.kind = EntryKind::hard_link;
      found.target = target;
    } else if (found.kind == EntryKind::symbolic_link) {
      found.target = text(archive_entry_symlink(entry));
    }
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    std::string fault = read_data(archive_.get(), bytes, std::min(limit, limits_.max_entry_bytes),
                                  [&](const std::string& why) { broken(why); });
    read_ += static_cast<int64_t>(bytes.size());
    check_total();
    return fault;
  }

 private:
  /// What a tar unpacks to counts even where nobody reads the entries.
  void check_total() const {
    const int64_t unpacked = std::max<int64_t>(read_, archive_filter_bytes(archive_.get(), 0));
    if (unpacked > limits_.max_total_bytes) broken(concat("unpacks to more than ", limits_.max_total_bytes, " bytes"));
  }

  /// A plain tar that was cut between two files looks whole to the library; packed ones have an end of their own.
  void check_end() const {
    if (archive_filter_code(archive_.get(), 0) != ARCHIVE_FILTER_NONE) return;
    std::array<char, 512> tail{};
    std::ifstream file(path_, std::ios::binary);
    file.seekg(-static_cast<std::streamoff>(tail.size()), std::ios::end);
    if (!file.read(tail.data(), tail.size()) || std::any_of(tail.begin(), tail.end(), [](char c) { return c != 0; }))
      broken("no end mark; was it copied only in part?");
  }

  [[noreturn]] void broken(const std::string& why) const {
    const bool unknown = entry_.empty() && archive_format(archive_.get()) == 0;
    const std::string where = entry_.empty() ? path_.string() : concat(path_.string(), ": at entry ", entry_);
    fail(ErrorKind::data, "[archive] ", where, ": ", why,
         unknown ? "; .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst and .zip are read, unpack others first" : "");
  }

  std::filesystem::path path_;
  SourceLimits limits_;
  Handle archive_;
  std::string entry_;
  int64_t entries_ = 0;
  int64_t read_ = 0;  // bytes of entries
};

}  // namespace

std::unique_ptr<ArchiveEntries> read_archive(const std::filesystem::path& path, const SourceLimits& limits) {
  if (is_zip(path)) return read_zip(path, limits);
  return std::make_unique<TarEntries>(path, limits);
}

std::vector<uint8_t> gunzip(std::span<const uint8_t> bytes, std::string_view name, int64_t limit) {
  const auto broken = [&](const std::string& why) { fail(ErrorKind::data, "[archive] ", name, ": gzip: ", why); };
  const Handle handle = new_handle();
  archive* a = handle.get();
  archive_read_support_filter_gzip(a);
  archive_read_support_format_raw(a);
  archive_entry* entry = nullptr;
  if (bytes.empty()) broken("the file is empty");
  if (archive_read_open_memory(a, bytes.data(), bytes.size()) != ARCHIVE_OK) broken(reason(a));
  if (archive_read_next_header(a, &entry) != ARCHIVE_OK) broken(reason(a));
  if (archive_filter_code(a, 0) != ARCHIVE_FILTER_GZIP) broken("not a gzip file");
  std::vector<uint8_t> content;
  const std::string fault = read_data(a, content, limit, broken);
  if (!fault.empty()) broken(fault);
  return content;
}

}  // namespace vit
