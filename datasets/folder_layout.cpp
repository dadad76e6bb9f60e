#include "datasets/folder_layout.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "datasets/entry_source.h"
#include "datasets/natural_order.h"
#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/log.h"

namespace vit {
namespace {

constexpr int kNoSplit = -1;

int split_of(std::string_view folder) {
  if (folder == "train") return 0;
  if (folder == "val" || folder == "valid" || folder == "validation") return 1;
  if (folder == "test") return 2;
  return kNoSplit;
}

/// The first folder of a path, empty when the file lies in none.
std::string_view first_folder(std::string_view path) {
  const size_t end = path.find('/');
  return end == std::string_view::npos ? std::string_view() : path.substr(0, end);
}

std::string_view below_first(std::string_view path) { return path.substr(path.find('/') + 1); }

/// A picture's path as far as it has not been understood yet.
struct Picture {
  size_t index;
  std::string_view rest;
};

/// Takes away a folder that lies around everything and is not a split itself.
void unwrap(std::vector<Picture>& pictures) {
  while (true) {
    const std::string_view around = first_folder(pictures.front().rest);
    if (around.empty() || split_of(around) != kNoSplit) return;
    const bool all = std::all_of(pictures.begin(), pictures.end(), [&](const Picture& picture) {
      return first_folder(picture.rest) == around && !first_folder(below_first(picture.rest)).empty();
    });
    if (!all) return;
    for (Picture& picture : pictures) picture.rest = below_first(picture.rest);
  }
}

/// True when folders at the top are splits: one named train holds folders, or no folder has another name.
bool has_splits(const std::vector<Picture>& pictures) {
  bool train = false;
  bool split = false;
  bool other = false;
  for (const Picture& picture : pictures) {
    const std::string_view folder = first_folder(picture.rest);
    if (folder.empty()) continue;
    const int which = split_of(folder);
    const bool holds_folders = !first_folder(below_first(picture.rest)).empty();
    other = other || which == kNoSplit;
    split = split || (which != kNoSplit && holds_folders);
    train = train || (which == 0 && holds_folders);
  }
  return train || (split && !other);
}

}  // namespace

void sort_classes(std::vector<std::string>& names, ClassOrder order) {
  if (order == ClassOrder::natural) {
    std::sort(names.begin(), names.end(), natural_less);
  } else {
    std::sort(names.begin(), names.end());
  }
}

FolderLayout find_layout(std::span<const std::string> paths, ClassOrder order, std::string_view source) {
  FolderLayout layout;
  std::vector<Picture> pictures;
  for (size_t i = 0; i < paths.size(); ++i)
    if (!is_hidden(paths[i]) && has_image_extension(paths[i])) pictures.push_back({i, paths[i]});
  layout.ignored = static_cast<int64_t>(paths.size() - pictures.size());
  if (pictures.empty())
    fail(ErrorKind::data, "[image_folder] ", source, ": holds no pictures (.jpg, .png, ...) among ", paths.size(),
         " files");
  unwrap(pictures);
  const bool splits = has_splits(pictures);

  std::vector<std::string_view> classes;  // of each picture that is kept
  std::set<std::string_view> names;
  for (const Picture& picture : pictures) {
    std::string_view rest = picture.rest;
    const std::string_view top = first_folder(rest);
    const int split = splits ? split_of(top) : 0;
    if (splits && split == kNoSplit && !top.empty())
      fail(ErrorKind::data, "[image_folder] ", source, ": needs only train, val and test side by side, has '", top,
           "' with ", paths[picture.index], "; is it a class folder at the wrong place?");
    if (splits && !top.empty()) rest = below_first(rest);
    const std::string_view name = first_folder(rest);
    if (name.empty()) {
      if (layout.unplaced++ == 0) layout.first_unplaced = paths[picture.index];
      continue;
    }
    layout.pictures.push_back({picture.index, split, 0});
    classes.push_back(name);
    names.insert(name);
  }
  if (classes.empty())
    fail(ErrorKind::data, "[image_folder] ", source,
         ": needs a folder for each class, has pictures in none (first: ", layout.first_unplaced, ")");

  layout.class_names.assign(names.begin(), names.end());
  sort_classes(layout.class_names, order);
  std::unordered_map<std::string_view, int32_t> labels;
  for (size_t c = 0; c < layout.class_names.size(); ++c) labels[layout.class_names[c]] = static_cast<int32_t>(c);
  for (size_t i = 0; i < classes.size(); ++i) layout.pictures[i].label = labels[classes[i]];
  return layout;
}

void warn_of_unplaced(const FolderLayout& layout, std::string_view source) {
  if (layout.unplaced > 0)
    log(LogLevel::warning,
        concat("[image_folder] ", source, ": ", layout.unplaced,
               " pictures lie in no class folder and are left out (first: ", layout.first_unplaced, ")"));
}

}  // namespace vit
