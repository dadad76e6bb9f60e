// What the files of a folder or an archive mean as a data set: class folders, splits above them or below them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/entry_source.h"
#include "datasets/folder_reading.h"
#include "datasets/split_names.h"
#include "vit/core/words.h"

namespace vit {

enum class ClassOrder { natural, plain };  // "10" after "9", or byte order
template <>
inline constexpr Word<ClassOrder> kWords<ClassOrder>[] = {{ClassOrder::natural, "natural"},
                                                          {ClassOrder::plain, "plain"}};

struct LayoutOptions {
  FolderReading reading = FolderReading::automatic;
  ClassOrder order = ClassOrder::natural;
};

/// A picture, or a fault in the place of one.
struct PictureFile {
  size_t path = 0;  // index into the listing's files, or its faults
  int split = 0;    // index into kSplitNames
  int32_t label = 0;
};

struct FolderLayout {
  FolderReading reading = FolderReading::classes;
  std::string around;                    // folders around all of it that were left aside, "" or "a/b"
  std::vector<std::string> class_names;  // of all splits; a class may have no picture
  std::vector<PictureFile> pictures;     // in the order of the files
  std::vector<PictureFile> faults;       // in class folders
  struct SplitFolder {
    std::string path;
    int split = 0;
  };
  std::vector<SplitFolder> split_folders;  // in natural order
  int64_t ignored = 0;                     // files that are hidden or have no picture's extension
  int64_t unplaced = 0;                    // pictures that lie in no class folder
  std::string first_unplaced;
  std::vector<std::string> notes;  // what is left out and why, classes without pictures: a line each
};

/// Recognises how people publish pictures: a folder around everything is left aside; splits may be called Training,
/// test_set, seg_train/seg_train, valid, dev, ... (see split_name); without splits all is train. Classes of all splits
/// agree by name. A class folder that is empty, or that holds nothing readable, stays as a class.
/// Throws Error that names `source`: usage when it can be read in two ways (it says which), or not in the way that was
/// asked for; data when there are no pictures in class folders.
FolderLayout find_layout(const Listing& listing, const LayoutOptions& options, std::string_view source);

/// Puts names in the order of classes.
void sort_classes(std::vector<std::string>& names, ClassOrder order);

/// Pictures of each class in each split, [split][class], without faults.
std::vector<std::vector<int64_t>> count_pictures(std::span<const int> splits, std::span<const int32_t> labels,
                                                 size_t classes);

}  // namespace vit
