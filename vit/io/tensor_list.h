// What the readers of tensor files share: a list in the order of names, and what is thrown for a wrong use of it.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/text.h"
#include "vit/io/tensor_file.h"
#include "vit/io/tensor_values.h"

namespace vit {

/// A tensor and what its reader knows of it.
template <class Place>
struct ListedTensor {
  TensorEntry entry;
  Place place;
};

/// Entries and, at the same index, their places.
template <class Place>
class TensorList {
 public:
  TensorList() = default;
  /// Throws Error (data) for a name that is there twice; `file` is for the message.
  TensorList(std::vector<ListedTensor<Place>> tensors, const std::filesystem::path& file) {
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.entry.name < b.entry.name; });
    for (ListedTensor<Place>& tensor : tensors) {
      if (!entries_.empty() && entries_.back().name == tensor.entry.name)
        fail(ErrorKind::data, "[tensors] ", printable(tensor.entry.name), " is there twice in ", file.string());
      entries_.push_back(std::move(tensor.entry));
      places_.push_back(std::move(tensor.place));
    }
  }

  const std::vector<TensorEntry>& entries() const { return entries_; }
  /// Of an entry that the caller reads into `values`. Throws Error (internal) where it is none of this file, or the
  /// room is not its size.
  const Place& place_of(const TensorEntry& entry, std::span<const float> values) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), entry.name,
                                        [](const TensorEntry& e, const std::string& name) { return e.name < name; });
    if (found == entries_.end() || found->name != entry.name || found->count != static_cast<int64_t>(values.size()))
      fail(ErrorKind::internal, "[tensors] ", printable(entry.name), " is read into ", values.size(),
           " numbers, which is not what the file holds");
    return places_[static_cast<std::size_t>(found - entries_.begin())];
  }

 private:
  std::vector<TensorEntry> entries_;
  std::vector<Place> places_;
};

/// "blocks.0.weight in a.safetensors"
inline std::string tensor_in(const std::string& name, const std::filesystem::path& file) {
  return concat(printable(name), " in ", file.string());
}

/// Throws Error (data) for a type that is no float.
inline void check_readable(const TensorEntry& entry, TensorNumber number, const std::filesystem::path& file) {
  if (number == TensorNumber::other)
    fail(ErrorKind::data, "[tensors] ", tensor_in(entry.name, file), " is of type ", printable(entry.type),
         ", which is not read; weights are floats of 16, 32 or 64 bits");
}

}  // namespace vit
