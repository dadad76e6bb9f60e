// The folders of a listing with what they hold, and how people meant them: classes, or splits above or below classes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/folder_layout.h"
#include "datasets/natural_order.h"

namespace vit {

/// A folder, and the pictures in it (also those that cannot be read).
struct FolderShape {
  struct Natural {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return natural_less(a, b); }
  };

  std::string path;
  std::string name;  // last component of the path
  std::map<std::string, FolderShape, Natural> children;
  int64_t direct = 0;    // pictures that lie in it
  int64_t pictures = 0;  // with those of all folders below
  int64_t others = 0;    // other files, with those of all folders below
  int split = -1;        // found by find_layout, for class folders
  int32_t label = -1;

  bool empty() const { return pictures == 0 && others == 0; }
  /// Children that hold pictures.
  std::vector<FolderShape*> kids();
};

/// The tree of a listing; its top has an empty path.
FolderShape shape_of(const Listing& listing);

/// The folder below which classes or splits lie: one that lies around everything is left aside, unless it is a split.
FolderShape& inside_wrappers(FolderShape& top, FolderReading reading);

/// A folder that stands for a split.
struct SplitFolderShape {
  FolderShape* folder = nullptr;
  FolderShape* inside = nullptr;  // below which its classes lie: "train/train", "train/images"
  int split = 0;
};

/// Those of a folder's children that are named as splits. Names may have a part in common: birds_train, birds_test.
std::vector<SplitFolderShape> splits_in(FolderShape& folder);

/// The reading that people meant. Throws Error (usage) that shows two when it is unclear.
FolderReading recognise(FolderShape& folder, std::string_view source);

/// "a, b, c and 7 more".
std::string short_list(const std::vector<std::string>& names);

}  // namespace vit
