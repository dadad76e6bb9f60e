#include <algorithm>
#include <array>
#include <map>

#include "vit/core/error.h"
#include "vit/families/import_weights.h"

namespace vit {
namespace {

// What trainers put in front of the names of a whole model.
constexpr std::array<std::string_view, 6> kWrappers{"module.",         "model.",     "state_dict.",
                                                    "state_dict_ema.", "model_ema.", "_orig_mod."};

// A backbone that stands beside the head that was trained on it (DINOv2).
constexpr std::string_view kBackbone = "backbone.", kHead = "linear_head.";

bool all_begin_with(const std::vector<TensorEntry>& entries, std::size_t skipped, std::string_view prefix,
                    std::string_view other = "") {
  return !entries.empty() && std::ranges::all_of(entries, [&](const TensorEntry& entry) {
    const std::string_view name = std::string_view(entry.name).substr(skipped);
    return name.starts_with(prefix) || (!other.empty() && name.starts_with(other));
  });
}

/// Characters of each name that are wrappers.
std::size_t wrapper_length(const std::vector<TensorEntry>& entries) {
  std::size_t length = 0;
  for (bool found = true; found;) {
    found = false;
    for (std::string_view wrapper : kWrappers)
      if (all_begin_with(entries, length, wrapper)) {
        length += wrapper.size();
        found = true;
      }
  }
  return length;
}

/// Tensors of one or two files under other names.
class RenamedTensors final : public TensorFile {
 public:
  RenamedTensors(std::shared_ptr<const TensorFile> file, std::shared_ptr<const TensorFile> head)
      : file_(std::move(file)), head_(std::move(head)) {
    const std::size_t skipped = wrapper_length(file_->entries());
    const bool backbone = all_begin_with(file_->entries(), skipped, kBackbone, kHead);
    for (const TensorEntry& entry : file_->entries()) {
      std::string name = entry.name.substr(skipped);
      if (backbone && name.starts_with(kBackbone)) name.erase(0, kBackbone.size());
      add(std::move(name), *file_, entry);
    }
    if (head_ != nullptr) {
      const std::size_t of_head = wrapper_length(head_->entries());
      for (const TensorEntry& entry : head_->entries())
        add(std::string(kHead) + entry.name.substr(of_head), *head_, entry);
    }
    for (const auto& [name, place] : places_) {
      entries_.push_back(*place.entry);
      entries_.back().name = name;
    }
  }

  const std::filesystem::path& path() const override { return file_->path(); }
  const std::vector<TensorEntry>& entries() const override { return entries_; }
  const std::map<std::string, std::string>& metadata() const override { return file_->metadata(); }
  void read(const TensorEntry& entry, std::span<float> values) const override {
    const Place& place = places_.at(entry.name);
    place.file->read(*place.entry, values);
  }

 private:
  struct Place {
    const TensorFile* file;
    const TensorEntry* entry;
  };

  void add(std::string name, const TensorFile& file, const TensorEntry& entry) {
    if (!places_.emplace(std::move(name), Place{&file, &entry}).second)
      fail(ErrorKind::data, "[import] ", entry.name, " of ", file.path().string(), " is there twice");
  }

  std::shared_ptr<const TensorFile> file_, head_;
  std::map<std::string, Place> places_;
  std::vector<TensorEntry> entries_;
};

}  // namespace

std::shared_ptr<const TensorFile> unwrapped(std::shared_ptr<const TensorFile> file,
                                            std::shared_ptr<const TensorFile> head) {
  return std::make_shared<RenamedTensors>(std::move(file), std::move(head));
}

}  // namespace vit
