#include "datasets/zip_archive.h"

#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "vit/core/error.h"

namespace vit {
namespace {

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

/// What the system that packed an entry said about it.
struct Attributes {
  explicit Attributes(zip_t* zip, zip_uint64_t index) {
    zip_file_get_external_attributes(zip, index, 0, &system, &bits);
  }
  bool unix_mode() const { return system == ZIP_OPSYS_UNIX || system == ZIP_OPSYS_OS_X; }

  zip_uint8_t system = ZIP_OPSYS_UNIX;
  zip_uint32_t bits = 0;
};

EntryKind kind_of(const std::string& name, const Attributes& attributes) {
  constexpr zip_uint32_t kDosFolder = 0x10;
  if (name.ends_with('/')) return EntryKind::folder;
  if (!attributes.unix_mode()) return (attributes.bits & kDosFolder) != 0 ? EntryKind::folder : EntryKind::file;
  const mode_t mode = static_cast<mode_t>(attributes.bits >> 16);
  if (S_ISLNK(mode)) return EntryKind::symbolic_link;
  if (S_ISDIR(mode)) return EntryKind::folder;
  return S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISSOCK(mode) ? EntryKind::other : EntryKind::file;
}

class ZipEntries : public ArchiveEntries {
 public:
  ZipEntries(const std::filesystem::path& path, const SourceLimits& limits) : path_(path), limits_(limits) {
    int code = 0;
    zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (zip_ == nullptr) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string why = zip_error_strerror(&error);
      zip_error_fini(&error);
      broken(concat(why, "; was it copied only in part, or is it one part of several?"));
    }
    count_ = zip_get_num_entries(zip_.get(), 0);
    if (count_ > limits.max_entries) broken(concat("holds more than ", limits.max_entries, " entries"));
    backslashes_ = only_backslashes();
  }

  bool next(ArchiveEntry& entry) override {
    if (++at_ >= count_) return false;
    const Attributes attributes(zip_.get(), index());
    entry.name = entry_ = name_of(index());
    if (backslashes_) std::replace(entry.name.begin(), entry.name.end(), '\\', '/');
    entry.kind = kind_of(entry.name, attributes);
    entry.target.clear();
    if (entry.kind == EntryKind::file || entry.kind == EntryKind::symbolic_link) refuse_encrypted();
    if (entry.kind == EntryKind::symbolic_link) entry.target = link_target();
    return true;
  }

  std::string read(std::vector<uint8_t>& bytes, int64_t limit) override {
    const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(zip_.get(), index(), 0));
    if (file == nullptr) return zip_strerror(zip_.get());
    std::string fault = read_to_end(
        bytes, std::min(limit, limits_.max_entry_bytes),
        [&](uint8_t* to, size_t room) { return static_cast<int64_t>(zip_fread(file.get(), to, room)); },
        [&] { return std::string(zip_file_strerror(file.get())); });
    read_ += static_cast<int64_t>(bytes.size());
    if (read_ > limits_.max_total_bytes) broken(concat("unpacks to more than ", limits_.max_total_bytes, " bytes"));
    return fault;
  }

 private:
  zip_uint64_t index() const { return static_cast<zip_uint64_t>(at_); }

  /// The bytes of the name, or the UTF-8 that an extra field holds for it.
  std::string name_of(zip_uint64_t index) const {
    const char* name = zip_get_name(zip_.get(), index, ZIP_FL_ENC_RAW);
    if (name == nullptr) broken(zip_strerror(zip_.get()));
    return name;
  }

  /// True for files made by programs that write '\\' between folders. It is an ordinary byte where '/' is used: the
  /// second one of many Japanese letters, for example.
  bool only_backslashes() const {
    for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count_); ++i)
      if (name_of(i).find('/') != std::string::npos) return false;
    return true;
  }

  void refuse_encrypted() const {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(zip_.get(), index(), 0, &stat) != 0) broken(zip_strerror(zip_.get()));
    if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE)
      broken("is encrypted; unpack it with its password first");
  }

  std::string link_target() {
    constexpr int64_t kLongest = 4096;
    std::vector<uint8_t> bytes;
    if (const std::string fault = read(bytes, kLongest); !fault.empty()) broken(fault);
    return {bytes.begin(), bytes.end()};
  }

  [[noreturn]] void broken(const std::string& why) const {
    const std::string where = entry_.empty() ? path_.string() : concat(path_.string(), ": at entry ", entry_);
    fail(ErrorKind::data, "[archive] ", where, ": ", why);
  }

  std::filesystem::path path_;
  SourceLimits limits_;
  std::unique_ptr<zip_t, CloseZip> zip_;
  bool backslashes_ = false;
  std::string entry_;
  int64_t count_ = 0;
  int64_t at_ = -1;
  int64_t read_ = 0;  // bytes of entries
};

}  // namespace

bool is_zip(const std::filesystem::path& path) {
  std::array<char, 4> start{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(start.data(), start.size())) return false;
  const std::string_view magic(start.data(), start.size());
  return magic == "PK\x03\x04" || magic == "PK\x05\x06" || magic == "PK\x07\x08" || magic.starts_with("MZ") ||
         magic ==
             "\x7f"
             "ELF";
}

std::unique_ptr<ArchiveEntries> read_zip(const std::filesystem::path& path, const SourceLimits& limits) {
  return std::make_unique<ZipEntries>(path, limits);
}

}  // namespace vit
