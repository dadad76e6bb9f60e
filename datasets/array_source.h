// Data sets that are published as arrays of pixels (CIFAR, MNIST), held in memory as they are in their files.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/entry_source.h"
#include "preprocess/image.h"

namespace vit {

struct ArraySplit {
  int split = 0;  // index into kSplitNames
  std::vector<int32_t> labels;
  std::function<Image(int64_t)> picture;  // thread-safe
};

struct ArraySource {
  std::vector<std::string> class_names;
  std::vector<ArraySplit> splits;
};

using Bytes = std::vector<uint8_t>;

/// The last component.
std::string_view file_name(std::string_view path);

/// The content of the named files of a source, in the order of `paths`; an empty path gives no bytes. Throws Error
/// that names the file when one cannot be read.
std::vector<Bytes> read_entries(const EntrySource& source, std::span<const std::string> paths);

}  // namespace vit
