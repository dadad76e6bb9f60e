// What a list of file paths means as a data set: class folders, or train, val and test above them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/split_names.h"
#include "vit/core/words.h"

namespace vit {

enum class ClassOrder { natural, plain };  // "10" after "9", or byte order
template <>
inline constexpr Word<ClassOrder> kWords<ClassOrder>[] = {{ClassOrder::natural, "natural"},
                                                          {ClassOrder::plain, "plain"}};

struct PictureFile {
  size_t path = 0;  // index into the list of paths
  int split = 0;    // index into kSplitNames
  int32_t label = 0;
};

struct FolderLayout {
  std::vector<std::string> class_names;  // of all splits
  std::vector<PictureFile> pictures;     // in the order of the paths
  int64_t ignored = 0;                   // files that are hidden or have no picture's extension
  int64_t unplaced = 0;                  // pictures that lie in no class folder
  std::string first_unplaced;
};

/// <class>/.../x.jpg, or <split>/<class>/.../x.jpg with splits train, val (also valid, validation) and test; one
/// folder around all of it (as in archives) is left aside. Without splits all is train. Throws Error (data) that names
/// `source` when there are no pictures in class folders, or a class folder lies beside splits.
FolderLayout find_layout(std::span<const std::string> paths, ClassOrder order, std::string_view source);

/// Puts names in the order of classes.
void sort_classes(std::vector<std::string>& names, ClassOrder order);

/// Logs a warning when some pictures were left out because they lie in no class folder.
void warn_of_unplaced(const FolderLayout& layout, std::string_view source);

}  // namespace vit
