#include "datasets/folder_shape.h"

#include <algorithm>
#include <set>
#include <utility>

#include "datasets/split_words.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// Takes the first folder off a path, empty when only a file's name is left.
std::string_view take_folder(std::string_view& path) {
  const size_t end = path.find('/');
  if (end == std::string_view::npos) return {};
  const std::string_view folder = path.substr(0, end);
  path.remove_prefix(end + 1);
  return folder;
}

FolderShape& child_of(FolderShape& folder, std::string_view name) {
  const auto found = folder.children.find(name);
  if (found != folder.children.end()) return found->second;
  FolderShape& child = folder.children[std::string(name)];
  child.name = name;
  child.path = folder.path.empty() ? child.name : concat(folder.path, '/', name);
  return child;
}

/// Counts a file in its folder and in all around that.
void count(FolderShape& top, std::string_view path, int64_t FolderShape::*what, bool itself_a_folder = false) {
  FolderShape* folder = &top;
  for (;;) {
    ++(folder->*what);
    std::string_view name = take_folder(path);
    if (name.empty() && itself_a_folder) name = std::exchange(path, {});
    if (name.empty()) break;
    folder = &child_of(*folder, name);
  }
  if (what == &FolderShape::pictures) ++folder->direct;
}

bool has_kids(FolderShape& folder) { return !folder.kids().empty(); }

bool holds_splits(FolderShape& folder) {
  std::set<int> splits;
  for (const SplitFolderShape& s : splits_in(folder)) splits.insert(s.split);
  return splits.size() > 1;
}

/// "train/train", "Train/train_images", "test/images".
FolderShape& inside_split(FolderShape& folder, int split) {
  FolderShape* inside = &folder;
  while (true) {
    const std::vector<FolderShape*> kids = inside->kids();
    if (kids.size() != 1) return *inside;
    const auto name = split_name(kids.front()->name);
    const bool repeated = kids.front()->name == inside->name || (name && name->split == split);
    if (!repeated && !(says_nothing(kids.front()->name) && has_kids(*kids.front()))) return *inside;
    inside = kids.front();
  }
}

std::vector<std::string> names_of(const std::vector<FolderShape*>& folders) {
  std::vector<std::string> names;
  for (const FolderShape* folder : folders) names.push_back(folder->name);
  return names;
}

/// "splits Testing, Training with classes a, b".
std::string as_splits(const std::vector<SplitFolderShape>& splits) {
  std::vector<std::string> folders;
  std::vector<FolderShape*> kids;
  std::set<std::string> classes;
  for (const SplitFolderShape& s : splits) {
    folders.push_back(concat(kSplitNames[static_cast<size_t>(s.split)], " = ", s.folder->name));
    for (const std::string& name : names_of(s.inside->kids())) classes.insert(name);
  }
  return concat("splits (", short_list(folders), ") ",
                classes.empty() ? "whose pictures lie in no class folder"
                                : concat("with classes ", short_list({classes.begin(), classes.end()})));
}

class Recogniser {
 public:
  Recogniser(FolderShape& folder, std::string_view source)
      : source_(source), kids_(folder.kids()), splits_(splits_in(folder)) {
    std::erase_if(splits_, [](const SplitFolderShape& s) { return s.folder->pictures == 0; });
    for (FolderShape* kid : kids_)
      if (std::none_of(splits_.begin(), splits_.end(), [&](const SplitFolderShape& s) { return s.folder == kid; }))
        others_.push_back(kid);
  }

  FolderReading run() const {
    if (splits_.empty()) return without_splits();
    const bool hold_classes = std::any_of(splits_.begin(), splits_.end(), has_classes);
    const bool train_holds_classes = std::any_of(
        splits_.begin(), splits_.end(), [](const SplitFolderShape& s) { return s.split == 0 && has_classes(s); });
    if (!hold_classes) {
      if (splits_.size() == 1) return FolderReading::classes;  // a class that happens to have that name
      unclear(as_splits(splits_), "splits");
    }
    if (!others_.empty() && !train_holds_classes && splits_.size() == 1) return FolderReading::classes;
    const bool others_are_flat = std::none_of(
        others_.begin(), others_.end(), [](FolderShape* folder) { return !inside_same_name(*folder).kids().empty(); });
    if (!others_.empty() && (splits_.size() == 1 || !others_are_flat)) unclear(with_others(), "splits");
    for (const SplitFolderShape& s : splits_)
      if (holds_splits(*s.inside)) unclear(as_splits(splits_), "splits");
    return FolderReading::splits;
  }

 private:
  static bool has_classes(const SplitFolderShape& s) { return has_kids(*s.inside); }

  static FolderShape& inside_same_name(FolderShape& folder) {
    FolderShape* inside = &folder;
    for (auto kids = inside->kids(); kids.size() == 1 && kids.front()->name == inside->name; kids = inside->kids())
      inside = kids.front();
    return *inside;
  }

  FolderReading without_splits() const {
    const auto inner = static_cast<size_t>(
        std::count_if(kids_.begin(), kids_.end(), [](FolderShape* kid) { return is_class_with_splits(*kid); }));
    if (inner > 1 && inner == kids_.size()) return FolderReading::inner_splits;
    std::map<std::string, std::set<int>> by_rest;
    for (FolderShape* kid : kids_) {
      const std::vector<std::string> below = names_of(kid->kids());
      const auto is_below = [&](FolderShape* other) {
        return other == kid || std::find(below.begin(), below.end(), other->name) != below.end();
      };
      if (kids_.size() > 2 && std::all_of(kids_.begin(), kids_.end(), is_below))
        unclear(concat("a data set in ", kid->name, " and its classes beside it"), nullptr);
      if (holds_splits(*kid)) unclear(concat("splits inside of ", kid->name), "inner-splits");
      if (const auto name = split_name(kid->name); name && !name->other.empty())
        by_rest[name->other].insert(name->split);
    }
    for (const auto& [rest, splits] : by_rest)
      if (splits.size() > 1) unclear(concat("splits in the names of '", rest, "', which are not read"), nullptr);
    return FolderReading::classes;
  }

  /// cat/train/1.jpg, cat/test/1.jpg.
  static bool is_class_with_splits(FolderShape& folder) {
    const std::vector<SplitFolderShape> splits = splits_in(folder);
    return holds_splits(folder) && splits.size() >= folder.kids().size() &&
           std::none_of(splits.begin(), splits.end(), [](const SplitFolderShape& s) { return has_kids(*s.folder); });
  }

  std::string with_others() const {
    return concat(as_splits(splits_), ", leaving out ", short_list(names_of(others_)), " (", others_.front()->pictures,
                  " pictures in '", others_.front()->name, "')");
  }

  /// `word`: of the second reading, nullptr when there is none.
  [[noreturn]] void unclear(const std::string& second, const char* word) const {
    fail(ErrorKind::usage, "[image_folder] ", source_, ": its folders can be read in two ways, as classes (",
         short_list(names_of(kids_)), "), or as ", second, "; ",
         word != nullptr ? concat("say which by --layout classes or --layout ", word)
                         : "name the folder inside, or say --layout classes");
  }

  std::string_view source_;
  std::vector<FolderShape*> kids_;
  std::vector<SplitFolderShape> splits_;
  std::vector<FolderShape*> others_;
};

}  // namespace

std::vector<FolderShape*> FolderShape::kids() {
  std::vector<FolderShape*> kids;
  for (auto& item : children)
    if (item.second.pictures > 0) kids.push_back(&item.second);
  return kids;
}

FolderShape shape_of(const Listing& listing) {
  FolderShape top;
  for (const std::string& path : listing.folders) {
    FolderShape* folder = &top;
    std::string_view rest = path;
    for (std::string_view name = take_folder(rest); !name.empty(); name = take_folder(rest))
      folder = &child_of(*folder, name);
    child_of(*folder, rest);
  }
  for (const std::string& path : listing.files)
    if (!is_hidden(path)) count(top, path, is_picture_name(path) ? &FolderShape::pictures : &FolderShape::others);
  const std::set<std::string_view> folders(listing.folders.begin(), listing.folders.end());
  for (const EntryFault& fault : listing.faults)
    if (folders.contains(fault.path))
      count(top, fault.path, &FolderShape::pictures, true);
    else if (is_picture_name(fault.path))
      count(top, fault.path, &FolderShape::pictures);
  return top;
}

FolderShape& inside_wrappers(FolderShape& top, FolderReading reading) {
  FolderShape* inside = &top;
  while (true) {
    const std::vector<FolderShape*> kids = inside->kids();
    if (kids.size() != 1 || !has_kids(*kids.front())) return *inside;
    const bool is_split = reading != FolderReading::classes && !splits_in(*inside).empty();
    if (is_split && !holds_splits(*kids.front())) return *inside;
    inside = kids.front();
  }
}

std::vector<SplitFolderShape> splits_in(FolderShape& folder) {
  std::vector<std::pair<FolderShape*, SplitName>> named;
  std::map<std::string, std::set<int>> by_rest;  // what a name has beside the word for the split
  for (auto& [name, child] : folder.children)
    if (const auto split = split_name(name)) {
      named.emplace_back(&child, *split);
      by_rest[split->other].insert(split->split);
    }
  std::string rest;
  if (!by_rest.contains("")) {
    if (by_rest.size() != 1 || by_rest.begin()->second.size() < 2) return {};
    rest = by_rest.begin()->first;
  }
  std::vector<SplitFolderShape> splits;
  for (const auto& [child, name] : named)
    if (name.other == rest) splits.push_back({child, &inside_split(*child, name.split), name.split});
  return splits;
}

FolderReading recognise(FolderShape& folder, std::string_view source) { return Recogniser(folder, source).run(); }

std::string short_list(const std::vector<std::string>& names) {
  constexpr size_t kMost = 6;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kMost ? concat(text, " and ", names.size() - kMost, " more") : text;
}

}  // namespace vit
