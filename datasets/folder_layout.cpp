#include "datasets/folder_layout.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "datasets/folder_shape.h"
#include "datasets/natural_order.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"

namespace vit {
namespace {

/// Gives folders their classes and splits, then each file those of its folder.
class LayoutFinder {
 public:
  LayoutFinder(const Listing& listing, const LayoutOptions& options, std::string_view source)
      : listing_(listing), options_(options), source_(source), shape_(shape_of(listing)) {}

  FolderLayout run() && {
    if (shape_.pictures == 0)
      fail(ErrorKind::data, "[image_folder] ", source_, ": holds no pictures (.jpg, .png, ...) among ",
           listing_.files.size(), " files");
    FolderShape& top = inside_wrappers(shape_, options_.reading);
    layout_.around = top.path;
    layout_.reading = options_.reading == FolderReading::automatic ? recognise(top, source_) : options_.reading;
    if (layout_.reading == FolderReading::classes) read_classes(top, 0);
    if (layout_.reading == FolderReading::splits) read_splits(top);
    if (layout_.reading == FolderReading::inner_splits) read_inner_splits(top);
    number_classes();
    place_files();
    write_notes();
    return std::move(layout_);
  }

 private:
  void add_class(FolderShape& folder, const std::string& name, int split) {
    folder.split = split;
    class_folders_.emplace_back(name, &folder);
  }

  void read_classes(FolderShape& folder, int split) {
    const std::vector<SplitFolderShape> splits = splits_in(folder);
    for (auto& [name, child] : folder.children) {
      const bool named_as_split =
          std::any_of(splits.begin(), splits.end(), [here = &child](const auto& s) { return s.folder == here; });
      if (child.pictures > 0 || (child.empty() && !named_as_split))
        add_class(child, name, split);
      else
        without_pictures_.push_back(&child);
    }
  }

  void read_splits(FolderShape& top) {
    std::vector<SplitFolderShape> splits = splits_in(top);
    if (splits.empty()) refuse("splits", "folders named train, val or test", top);
    while (have_one_class(splits))
      for (SplitFolderShape& s : splits)
        if (const auto kids = s.inside->kids(); !kids.empty()) s.inside = kids.front();
    for (const SplitFolderShape& s : splits) {
      if (s.folder->pictures > 0) layout_.split_folders.push_back({s.inside->path, s.split});
      read_classes(*s.inside, s.split);
    }
    for (auto& [name, child] : top.children)
      if (std::none_of(splits.begin(), splits.end(), [here = &child](const auto& s) { return s.folder == here; }))
        beside_splits_.push_back(&child);
  }

  /// Nobody publishes one class: what all splits have as their only folder, with folders in it, is one more wrapper.
  static bool have_one_class(const std::vector<SplitFolderShape>& splits) {
    std::set<std::string> names;
    for (const SplitFolderShape& s : splits)
      for (FolderShape* kid : s.inside->kids()) {
        if (kid->kids().empty()) return false;
        names.insert(kid->name);
      }
    return names.size() == 1;
  }

  void read_inner_splits(FolderShape& top) {
    for (auto& [name, child] : top.children) {
      const std::vector<SplitFolderShape> splits = splits_in(child);
      if (splits.empty() && child.pictures > 0)
        refuse("inner-splits", "folders named train, val or test in each class", child);
      if (splits.empty() && child.empty()) add_class(child, name, 0);
      for (const SplitFolderShape& s : splits) add_class(*s.folder, name, s.split);
    }
  }

  [[noreturn]] void refuse(const char* word, const char* needs, FolderShape& folder) const {
    std::vector<std::string> names;
    for (const auto& [name, child] : folder.children) names.push_back(name);
    fail(ErrorKind::usage, "[image_folder] ", source_, ": --layout ", word, ": needs ", needs, ", has ",
         names.empty() ? "none" : short_list(names), folder.path.empty() ? "" : " in " + folder.path);
  }

  void number_classes() {
    std::set<std::string> names;
    for (const auto& [name, folder] : class_folders_) names.insert(name);
    layout_.class_names.assign(names.begin(), names.end());
    sort_classes(layout_.class_names, options_.order);
    std::map<std::string_view, int32_t> labels;
    for (size_t c = 0; c < layout_.class_names.size(); ++c) labels[layout_.class_names[c]] = static_cast<int32_t>(c);
    for (const auto& [name, folder] : class_folders_) folder->label = labels[name];
  }

  /// The class folder around a path, or the path itself; nullptr when there is none.
  const FolderShape* class_around(std::string_view path) const {
    const FolderShape* folder = &shape_;
    while (folder->label < 0 && !path.empty()) {
      const size_t end = std::min(path.find('/'), path.size());
      const auto found = folder->children.find(path.substr(0, end));
      if (found == folder->children.end()) return nullptr;
      folder = &found->second;
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return folder->label < 0 ? nullptr : folder;
  }

  void place_files() {
    layout_.ignored = listing_.hidden;
    for (size_t i = 0; i < listing_.files.size(); ++i) {
      const std::string& path = listing_.files[i];
      if (is_hidden(path) || !is_picture_name(path)) {
        ++layout_.ignored;
      } else if (const FolderShape* folder = class_around(path)) {
        layout_.pictures.push_back({i, folder->split, folder->label});
      } else if (layout_.unplaced++ == 0) {
        layout_.first_unplaced = path;
      }
    }
    for (size_t i = 0; i < listing_.faults.size(); ++i)
      if (const FolderShape* folder = class_around(listing_.faults[i].path))
        layout_.faults.push_back({i, folder->split, folder->label});
    if (layout_.pictures.empty() && layout_.faults.empty())
      fail(ErrorKind::data, "[image_folder] ", source_,
           ": needs a folder for each class, has pictures in none (first: ", layout_.first_unplaced, ")");
  }

  template <class... Parts>
  void note(const Parts&... parts) {
    layout_.notes.push_back(concat(parts...));
  }

  void write_notes() {
    layout_.notes = listing_.notes;
    for (const FolderShape* folder : beside_splits_)
      note("left out: ", folder->path, " beside the splits, with ", folder->pictures, " pictures");
    for (const FolderShape* folder : without_pictures_)
      if (folder->others > 0 && !is_class(folder->name))
        note("left out: ", folder->path, ", with ", folder->others, " files and not one named like a picture");
    if (layout_.unplaced > 0)
      note("left out: ", layout_.unplaced, " pictures in no class folder (first: ", layout_.first_unplaced, ")");
    if (layout_.ignored > 0) note("left out: ", layout_.ignored, " files that are hidden or not named like a picture");
    if (!listing_.faults.empty())
      note("cannot be read: ", listing_.faults.size(), " (first: ", listing_.faults.front().error, ")");
    note_classes();
  }

  bool is_class(const std::string& name) const {
    return std::find(layout_.class_names.begin(), layout_.class_names.end(), name) != layout_.class_names.end();
  }

  void note_classes() {
    std::vector<bool> has_picture(layout_.class_names.size(), false);
    for (const PictureFile& picture : layout_.pictures)
      if (unreadable_format(listing_.files[picture.path]).empty())
        has_picture[static_cast<size_t>(picture.label)] = true;
    std::vector<std::string> without;
    for (size_t c = 0; c < has_picture.size(); ++c)
      if (!has_picture[c]) without.push_back(layout_.class_names[c]);
    if (!without.empty())
      note("classes without a picture that can be read: ", without.size(), " (", short_list(without), ")");
  }

  const Listing& listing_;
  LayoutOptions options_;
  std::string_view source_;
  FolderShape shape_;
  FolderLayout layout_;
  std::vector<std::pair<std::string, FolderShape*>> class_folders_;
  std::vector<const FolderShape*> without_pictures_;
  std::vector<const FolderShape*> beside_splits_;
};

}  // namespace

void sort_classes(std::vector<std::string>& names, ClassOrder order) {
  if (order == ClassOrder::natural) {
    std::sort(names.begin(), names.end(), natural_less);
  } else {
    std::sort(names.begin(), names.end());
  }
}

FolderLayout find_layout(const Listing& listing, const LayoutOptions& options, std::string_view source) {
  return LayoutFinder(listing, options, source).run();
}

std::vector<std::vector<int64_t>> count_pictures(std::span<const int> splits, std::span<const int32_t> labels,
                                                 size_t classes) {
  std::vector<std::vector<int64_t>> counts(std::size(kSplitNames), std::vector<int64_t>(classes, 0));
  for (size_t i = 0; i < splits.size(); ++i) ++counts[static_cast<size_t>(splits[i])][static_cast<size_t>(labels[i])];
  return counts;
}

}  // namespace vit
