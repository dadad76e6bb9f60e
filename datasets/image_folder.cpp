#include "datasets/image_folder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "datasets/folder_walk.h"
#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/log.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

class FolderSplit : public Split {
 public:
  explicit FolderSplit(fs::path root) : root_(std::move(root)) {}

  void add(std::string path, int32_t label) {
    paths_.push_back(std::move(path));
    labels_.push_back(label);
  }
  void add_fault(const EntryFault& fault, int32_t label) {
    faults_[size()] = fault.error;
    add(fault.path, label);
  }

  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  int32_t label(int64_t index) const override { return labels_.at(static_cast<size_t>(index)); }
  std::string path(int64_t index) const override { return (root_ / paths_.at(static_cast<size_t>(index))).string(); }
  Image image(int64_t index) const override {
    if (const auto fault = faults_.find(index); fault != faults_.end()) throw Error(ErrorKind::io, fault->second);
    return read_image(path(index));
  }
  bool is_fault(int64_t index) const { return faults_.contains(index); }

 private:
  fs::path root_;
  std::vector<std::string> paths_;
  std::vector<int32_t> labels_;
  std::map<int64_t, std::string> faults_;
};

constexpr int64_t kUnknown = -1;

/// Side of the picture by its header, 0 when it is not square, kUnknown when it cannot be read.
int64_t square_side(const std::string& path) {
  try {
    const DecodeLimits limits;
    const std::string content = read_file(path, limits.max_bytes);
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
    const ImageSize size = stated_image_size(bytes, path, limits);
    return size.width == size.height ? size.width : 0;
  } catch (const Error&) {
    return kUnknown;
  }
}

class ImageFolder : public Dataset {
 public:
  ImageFolder(const fs::path& root, const LayoutOptions& options) {
    const Listing listing = walk_folder(root);
    FolderLayout layout = find_layout(listing, options, root.string());
    for (const std::string& note : layout.notes)
      log(LogLevel::warning, concat("[image_folder] ", root.string(), ": ", note));
    const auto by_label = [](const PictureFile& a, const PictureFile& b) { return a.label < b.label; };
    std::stable_sort(layout.pictures.begin(), layout.pictures.end(), by_label);
    std::stable_sort(layout.faults.begin(), layout.faults.end(), by_label);
    auto fault = layout.faults.begin();
    const auto add_faults_before = [&](int32_t label) {
      for (; fault != layout.faults.end() && fault->label < label; ++fault)
        split_of(root, fault->split).add_fault(listing.faults[fault->path], fault->label);
    };
    for (const PictureFile& picture : layout.pictures) {
      add_faults_before(picture.label);
      split_of(root, picture.split).add(listing.files[picture.path], picture.label);
    }
    add_faults_before(std::numeric_limits<int32_t>::max());
    class_names_ = std::move(layout.class_names);
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }

  std::vector<std::string> split_names() const override {
    std::vector<std::string> names;
    for (size_t s = 0; s < splits_.size(); ++s)
      if (splits_[s]) names.emplace_back(kSplitNames[s]);
    return names;
  }

  std::shared_ptr<const Split> split(const std::string& name) const override {
    const auto found = std::find(std::begin(kSplitNames), std::end(kSplitNames), name);
    return found == std::end(kSplitNames) ? nullptr : splits_[static_cast<size_t>(found - std::begin(kSplitNames))];
  }

  nlohmann::json preprocess() const override { return nullptr; }
  std::string checksum(const std::string&) const override { return {}; }
  bool has_files() const override { return true; }

  int64_t image_size() const override {
    std::call_once(sized_, [this] { image_size_ = common_side(); });
    return image_size_;
  }

 private:
  FolderSplit& split_of(const fs::path& root, int index) {
    std::shared_ptr<FolderSplit>& split = splits_[static_cast<size_t>(index)];
    if (!split) split = std::make_shared<FolderSplit>(root);
    return *split;
  }

  int64_t common_side() const {
    constexpr size_t kSample = 2000;
    std::vector<std::string> paths;
    for (const auto& split : splits_)
      for (int64_t i = 0; split && i < split->size(); ++i)
        if (!split->is_fault(i)) paths.push_back(split->path(i));
    const size_t sample = std::min(kSample, paths.size());
    std::atomic<int64_t> common = kUnknown;
    parallel_for(static_cast<int64_t>(sample), 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end && common != 0; ++i) {
        const int64_t side = square_side(paths[static_cast<size_t>(i) * paths.size() / sample]);
        int64_t before = kUnknown;
        if (side != kUnknown && !common.compare_exchange_strong(before, side) && before != side) common = 0;
      }
    });
    return std::max<int64_t>(0, common);
  }

  std::vector<std::string> class_names_;
  std::array<std::shared_ptr<FolderSplit>, std::size(kSplitNames)> splits_;
  mutable std::once_flag sized_;
  mutable int64_t image_size_ = 0;
};

}  // namespace

std::shared_ptr<const Dataset> open_image_folder(const fs::path& root, const LayoutOptions& options) {
  return std::make_shared<ImageFolder>(root, options);
}

}  // namespace vit
