#include "datasets/hdf5_dataset.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "datasets/hdf5_format.h"
#include "datasets/hdf5_split.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

class Hdf5Dataset final : public Dataset {
 public:
  Hdf5Dataset(h5::File file, const OpenOptions& options) : file_(std::move(file)), options_(options) {
    read_metadata();
    for (const std::string_view split : kSplitNames) {
      const std::string name(split);
      if (file_.exists("/" + name)) splits_[name].header = read_split_header(file_, name);
    }
    if (splits_.empty()) fail(ErrorKind::data, "[dataset] ", where(), " has none of the splits train, val and test");
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  nlohmann::json preprocess() const override { return preprocess_; }
  std::optional<bool> exif_rotate() const override { return exif_rotate_; }

  std::vector<std::string> split_names() const override {
    std::vector<std::string> names;
    for (const std::string_view name : kSplitNames)
      if (splits_.count(std::string(name)) > 0) names.emplace_back(name);
    return names;
  }

  std::string checksum(const std::string& split) const override {
    const auto found = splits_.find(split);
    return found == splits_.end() ? "" : found->second.header.checksum;
  }

  int64_t image_size() const override {
    const SplitHeader& first = splits_.begin()->second.header;
    const bool same = std::all_of(splits_.begin(), splits_.end(), [&](const auto& entry) {
      const SplitHeader& header = entry.second.header;
      return !header.encoded && header.height == first.height && header.width == first.height;
    });
    return same ? first.height : 0;
  }

  /// Who asks for a split that is in use gets the same one.
  std::shared_ptr<const Split> split(const std::string& name) const override {
    const auto found = splits_.find(name);
    if (found == splits_.end()) return nullptr;
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const Split> split = found->second.loaded.lock();
    if (split == nullptr) {
      split = open_hdf5_split(file_, found->second.header, static_cast<int64_t>(class_names_.size()),
                              options_.memory_budget);
      found->second.loaded = split;
    }
    return split;
  }

 private:
  struct Entry {
    SplitHeader header;
    mutable std::weak_ptr<const Split> loaded;
  };

  std::string where() const { return file_.path().string(); }

  void read_metadata() {
    if (!file_.has_attribute("/", "format"))
      fail(ErrorKind::data, "[dataset] ", where(), " has no attribute 'format'; is it a data set?");
    const std::string format = file_.read_attribute("/", "format");
    if (format != kDatasetFormat)
      fail(ErrorKind::data, "[dataset] ", where(), " is of format '", format, "', needs '", kDatasetFormat, "'");
    const std::string version = file_.read_attribute("/", "version");
    if (version != kDatasetVersion)
      fail(ErrorKind::data, "[dataset] ", where(), " is of version '", version, "', this program reads version ",
           kDatasetVersion);
    class_names_ = file_.read_texts("/class_names");
    exif_rotate_ = file_.has_attribute("/", "exif_rotate") && file_.read_attribute("/", "exif_rotate") == "1";
    if (!file_.has_attribute("/", "preprocess")) return;
    preprocess_ = parse_json_text(file_.read_attribute("/", "preprocess"));
    if (!preprocess_.is_object())
      fail(ErrorKind::data, "[dataset] attribute 'preprocess' of ", where(), " is not a JSON object");
  }

  h5::File file_;
  OpenOptions options_;
  std::vector<std::string> class_names_;
  nlohmann::json preprocess_;
  bool exif_rotate_ = false;
  std::map<std::string, Entry> splits_;
  mutable std::mutex mutex_;
};

}  // namespace

std::shared_ptr<const Dataset> open_hdf5_dataset(const std::filesystem::path& path, const OpenOptions& options) {
  return std::make_shared<const Hdf5Dataset>(h5::File::open(path), options);
}

}  // namespace vit
