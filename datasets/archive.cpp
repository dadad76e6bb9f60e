#include "datasets/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

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

/// Adds the rest of the current entry to `bytes`. Returns what is wrong with it, empty when nothing is; memory grows
/// with what is really there, not with what a header claims. Throws through `broken` when the archive ends here.
template <class Broken>
std::string read_data(archive* a, std::vector<uint8_t>& bytes, int64_t limit, const Broken& broken) {
  bytes.clear();
  while (true) {
    const size_t have = bytes.size();
    if (static_cast<int64_t>(have) > limit) return concat("holds more than ", limit, " bytes");
    const size_t room = std::clamp<size_t>(have, 16 << 10, 8 << 20);
    bytes.resize(have + room);
    const la_ssize_t got = archive_read_data(a, bytes.data() + have, room);
    bytes.resize(have + static_cast<size_t>(std::max<la_ssize_t>(0, got)));
    if (got == 0) return {};
    if (got == ARCHIVE_FATAL) broken(reason(a));
    if (got < 0) return reason(a);
  }
}

/// Without empty, "." and ".." components: "/a/../b" and "./a/b" are names like "a/b".
std::string plain_path(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == "." || part == "..") continue;
    if (!plain.empty()) plain += '/';
    plain += part;
  }
  return plain;
}

class ArchiveStream : public EntryStream {
 public:
  ArchiveStream(const std::filesystem::path& path, const SourceLimits& limits)
      : path_(path), limits_(limits), archive_(new_handle()) {
    archive* a = archive_.get();
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip_seekable(a);  // by the directory at the end: a file that was cut has none
    if (std::error_code error; std::filesystem::file_size(path, error) == 0) broken("the file is empty");
    if (archive_read_open_filename(a, path.c_str(), kReadBlock) != ARCHIVE_OK) broken(reason(a));
  }

  bool next(std::string& path) override {
    while (true) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(archive_.get(), &entry);
      check_total();
      if (result == ARCHIVE_EOF) {
        check_end();
        return false;
      }
      if (result < ARCHIVE_WARN) broken(reason(archive_.get()));
      if (++entries_ > limits_.max_entries) broken(concat("holds more than ", limits_.max_entries, " entries"));
      entry_ = name_of(entry);
      hard_link_ = archive_entry_hardlink(entry) != nullptr;
      if (archive_entry_filetype(entry) == AE_IFREG || hard_link_) break;
    }
    path = entry_;
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    if (hard_link_) return "a hard link to another entry, which is not supported";
    std::string fault = read_data(archive_.get(), bytes, std::min(limit, limits_.max_entry_bytes),
                                  [&](const std::string& why) { broken(why); });
    read_ += static_cast<int64_t>(bytes.size());
    check_total();
    return fault;
  }

 private:
  bool is_tar() const { return (archive_format(archive_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR; }

  std::string name_of(archive_entry* entry) const {
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);  // in no charset that the library knows
    std::string path = name != nullptr ? name : "";
    if (!is_tar()) std::replace(path.begin(), path.end(), '\\', '/');  // zip files made on Windows
    return plain_path(path);
  }

  /// What a tar unpacks to counts even where nobody reads the entries.
  void check_total() const {
    const int64_t unpacked = std::max<int64_t>(read_, archive_filter_bytes(archive_.get(), 0));
    if (unpacked > limits_.max_total_bytes) broken(concat("unpacks to more than ", limits_.max_total_bytes, " bytes"));
  }

  /// A plain tar that was cut between two files looks whole to the library; packed ones have an end of their own.
  void check_end() const {
    if (!is_tar() || archive_filter_code(archive_.get(), 0) != ARCHIVE_FILTER_NONE) return;
    std::array<char, 512> tail{};
    std::ifstream file(path_, std::ios::binary);
    file.seekg(-static_cast<std::streamoff>(tail.size()), std::ios::end);
    if (!file.read(tail.data(), tail.size()) || std::any_of(tail.begin(), tail.end(), [](char c) { return c != 0; }))
      broken("no end mark; was it copied only in part?");
  }

  [[noreturn]] void broken(const std::string& why) const {
    const std::string where = entry_.empty() ? path_.string() : concat(path_.string(), ": at entry ", entry_);
    fail(ErrorKind::data, "[archive] ", where, ": ", why);
  }

  std::filesystem::path path_;
  SourceLimits limits_;
  Handle archive_;
  std::string entry_;
  bool hard_link_ = false;
  int64_t entries_ = 0;
  int64_t read_ = 0;  // bytes of entries
};

}  // namespace

std::unique_ptr<EntryStream> read_archive(const std::filesystem::path& path, const SourceLimits& limits) {
  return std::make_unique<ArchiveStream>(path, limits);
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
