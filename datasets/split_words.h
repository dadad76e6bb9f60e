// Which folder names people give to the splits of a data set.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vit {

/// A folder name that has one word for a split: "Training", "test_set", "seg_train", "birds-valid".
struct SplitName {
  int split = 0;      // index into kSplitNames
  std::string other;  // the rest, lower case, without words as "set", "data" and "images": "", "", "", "birds"
};

/// Nothing when the name has no such word, or several.
std::optional<SplitName> split_name(std::string_view folder);

/// True for "images", "Data set" and the like, which say nothing about what a folder holds.
bool says_nothing(std::string_view folder);

}  // namespace vit
