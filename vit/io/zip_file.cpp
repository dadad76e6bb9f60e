#include "vit/io/zip_file.h"

#include <zip.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

#include "vit/core/error.h"
#include "vit/core/text.h"

namespace vit {
namespace {

constexpr zip_int64_t kMostEntries = 1 << 16;

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Handle = std::unique_ptr<zip_t, CloseZip>;

/// The library's view of our file: a place in it and the last fault.
struct Window {
  explicit Window(const FileBytes& from) : file(&from) { zip_error_init(&error); }
  ~Window() { zip_error_fini(&error); }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  const FileBytes* file;
  uint64_t at = 0;
  zip_error_t error;
};

zip_int64_t read_window(Window& window, void* data, zip_uint64_t length) {
  const uint64_t count = std::min(length, window.file->size() - window.at);
  try {
    window.file->read(window.at, {static_cast<uint8_t*>(data), static_cast<std::size_t>(count)});
  } catch (const std::exception&) {
    zip_error_set(&window.error, ZIP_ER_READ, 0);
    return -1;
  }
  window.at += count;
  return static_cast<zip_int64_t>(count);
}

zip_int64_t stat_window(const Window& window, void* data, zip_uint64_t length) {
  if (length < sizeof(zip_stat_t)) return -1;
  auto* stat = static_cast<zip_stat_t*>(data);
  zip_stat_init(stat);
  stat->size = window.file->size();
  stat->valid = ZIP_STAT_SIZE;
  return sizeof(zip_stat_t);
}

zip_int64_t seek_window(Window& window, void* data, zip_uint64_t length) {
  const zip_int64_t place = zip_source_seek_compute_offset(window.at, window.file->size(), data, length, &window.error);
  if (place < 0) return -1;
  window.at = static_cast<uint64_t>(place);
  return 0;
}

extern "C" zip_int64_t serve_window(void* user, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  auto* window = static_cast<Window*>(user);
  switch (command) {
    case ZIP_SOURCE_OPEN:
      window->at = 0;
      return 0;
    case ZIP_SOURCE_READ:
      return read_window(*window, data, length);
    case ZIP_SOURCE_CLOSE:
      return 0;
    case ZIP_SOURCE_STAT:
      return stat_window(*window, data, length);
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&window->error, data, length);
    case ZIP_SOURCE_SEEK:
      return seek_window(*window, data, length);
    case ZIP_SOURCE_TELL:
      return static_cast<zip_int64_t>(window->at);
    case ZIP_SOURCE_FREE:
      delete window;
      return 0;
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                            ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                            ZIP_SOURCE_SUPPORTS, -1);
    default:
      zip_error_set(&window->error, ZIP_ER_OPNOTSUPP, 0);
      return -1;
  }
}

Handle open_handle(const FileBytes& file) {
  zip_error_t error;
  zip_error_init(&error);
  auto window = std::make_unique<Window>(file);
  zip_source_t* source = zip_source_function_create(serve_window, window.get(), &error);
  zip_t* zip = nullptr;
  if (source != nullptr) {
    window.release();  // NOLINT(bugprone-unused-return-value): the source frees it
    zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (zip == nullptr) zip_source_free(source);
  }
  const std::string why = zip == nullptr ? zip_error_strerror(&error) : "";
  zip_error_fini(&error);
  if (zip == nullptr)
    fail(ErrorKind::data, "[zip] ", file.path().string(), ": ", printable(why), "; was it copied only in part?");
  return Handle(zip);
}

[[noreturn]] void fail_entry(const FileBytes& file, const std::string& name, std::string_view why) {
  fail(ErrorKind::data, "[zip] ", printable(name), " in ", file.path().string(), " ", why);
}

ZipEntry entry_of(zip_t* zip, zip_uint64_t index, const FileBytes& file) {
  constexpr uint64_t kMostRatio = 1032;  // of deflate
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat_index(zip, index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
    fail_entry(file, concat("entry ", index), "cannot be read; is the file damaged?");
  const char* raw = zip_get_name(zip, index, ZIP_FL_ENC_RAW);
  ZipEntry entry{raw != nullptr ? raw : stat.name, stat.size, stat.comp_size};
  if (stat.encryption_method != ZIP_EM_NONE) fail_entry(file, entry.name, "is encrypted");
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
    fail_entry(file, entry.name, "needs to be stored or deflated");
  if (entry.packed > file.size() || (stat.comp_method == ZIP_CM_STORE && entry.size != entry.packed) ||
      entry.size / kMostRatio > entry.packed)
    fail_entry(file, entry.name,
               concat("claims ", entry.size, " bytes in ", entry.packed, " of the file; is it damaged?"));
  return entry;
}

}  // namespace

/// Handles of the library serve one thread at a time: each stream has one, which the next takes over.
class ZipFile::Handles {
 public:
  explicit Handles(const FileBytes& file) : file_(&file) {}
  const FileBytes& file() const { return *file_; }

  Handle take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return open_handle(*file_);
    Handle handle = std::move(free_.back());
    free_.pop_back();
    return handle;
  }
  void give_back(Handle handle) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(handle));
  }

 private:
  const FileBytes* file_;
  std::mutex mutex_;
  std::vector<Handle> free_;
};

class ZipFile::Stream : public ZipStream {
 public:
  Stream(Handles& handles, const std::string& name, std::size_t index)
      : handles_(handles), name_(name), zip_(handles.take()), entry_(zip_fopen_index(zip_.get(), index, 0)) {
    if (entry_ == nullptr) fail_entry(handles.file(), name, concat("cannot be read: ", zip_strerror(zip_.get())));
  }
  ~Stream() override {
    entry_.reset();
    handles_.give_back(std::move(zip_));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void read(std::span<uint8_t> out) override {
    while (!out.empty()) {
      const std::size_t got = read_some(out);
      if (got == 0) fail_entry(handles_.file(), name_, "ends early; was it copied only in part?");
      out = out.subspan(got);
    }
  }
  void finish() override {
    uint8_t more = 0;
    if (read_some({&more, 1}) != 0) fail_entry(handles_.file(), name_, "is longer than it says");
  }

 private:
  std::size_t read_some(std::span<uint8_t> out) {
    const zip_int64_t got = zip_fread(entry_.get(), out.data(), out.size());
    if (got < 0) fail_entry(handles_.file(), name_, concat("is damaged: ", zip_file_strerror(entry_.get())));
    return static_cast<std::size_t>(got);
  }

  Handles& handles_;
  std::string name_;
  Handle zip_;
  std::unique_ptr<zip_file_t, CloseEntry> entry_;
};

ZipFile::ZipFile(const FileBytes& file) : handles_(std::make_unique<Handles>(file)) {
  Handle zip = handles_->take();
  const zip_int64_t count = zip_get_num_entries(zip.get(), 0);
  if (count > kMostEntries)
    fail(ErrorKind::data, "[zip] ", file.path().string(), " has ", count, " entries, at most ", kMostEntries,
         " are read");
  for (zip_int64_t i = 0; i < count; ++i) entries_.push_back(entry_of(zip.get(), static_cast<zip_uint64_t>(i), file));
  handles_->give_back(std::move(zip));
}

ZipFile::~ZipFile() = default;

std::unique_ptr<ZipStream> ZipFile::open(std::size_t index) const {
  return std::make_unique<Stream>(*handles_, entries_[index].name, index);
}

}  // namespace vit
