#include "datasets/entry_tree.h"

#include <algorithm>
#include <utility>

#include "datasets/natural_order.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"

namespace vit {

struct EntryTree::Child {
  EntryKind kind = EntryKind::file;
  int64_t entry = 0;
  std::unique_ptr<Folder> folder = nullptr;
};

struct EntryTree::Folder {
  Folder* parent = nullptr;
  std::map<std::string, Child, std::less<>> children = {};
};

namespace {

/// Takes the first component off a path.
std::string_view take_component(std::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view part = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return part;
}

/// Without empty, "." and ".." components: "/a/../b" and "./a/b" are names like "a/b".
std::string plain_path(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const std::string_view part = take_component(name);
    if (part.empty() || part == "." || part == "..") continue;
    if (!plain.empty()) plain += '/';
    plain += part;
  }
  return plain;
}

bool leads_out(std::string_view name) {
  return name.starts_with('/') || name.starts_with("../") || name.find("/../") != std::string_view::npos;
}

}  // namespace

EntryTree::EntryTree(std::string archive) : archive_(std::move(archive)), root_(std::make_unique<Folder>()) {}

EntryTree::~EntryTree() = default;

EntryTree::Folder& EntryTree::folder_at(std::string_view path) {
  Folder* folder = root_.get();
  while (!path.empty()) {
    const std::string_view part = take_component(path);
    auto found = folder->children.find(part);
    if (found == folder->children.end()) found = folder->children.emplace(part, Child{}).first;
    Child& child = found->second;
    if (child.folder == nullptr) child = {EntryKind::folder, 0, std::make_unique<Folder>(Folder{folder})};
    folder = child.folder.get();
  }
  return *folder;
}

EntryTree::Child& EntryTree::child_at(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return root_->children[path];
  return folder_at(std::string_view(path).substr(0, slash)).children[path.substr(slash + 1)];
}

void EntryTree::add(const ArchiveEntry& entry) {
  constexpr size_t kLongestPath = 4095;  // of Linux: a longer one cannot be unpacked
  const int64_t number = next_++;
  const std::string path = plain_path(entry.name);
  if (path.size() > kLongestPath) {
    faults_.push_back({path.substr(0, 80), concat("[archive] ", archive_, ": a name of ", path.size(), " bytes (",
                                                  path.substr(0, 80), "...), at most ", kLongestPath, " are read")});
    return;
  }
  if (leads_out(entry.name) && renamed_++ == 0) first_renamed_ = entry.name;
  if (path.empty()) return;
  if (entry.kind == EntryKind::folder) {
    folder_at(path);
    return;
  }
  Child linked{entry.kind, number};
  if (entry.kind == EntryKind::hard_link) {
    // To what the name stands for now: a later entry of that name is another file.
    const Folder* holder = nullptr;
    const Child* target = find(*root_, plain_path(entry.target), &holder);
    if (target != nullptr && target->kind == EntryKind::file) linked = {EntryKind::file, target->entry};
  }
  if (linked.kind == EntryKind::hard_link || linked.kind == EntryKind::symbolic_link) targets_[number] = entry.target;
  Child& child = child_at(path);
  if (child.folder == nullptr) child = std::move(linked);
}

/// What `path` leads to from a folder, nullptr when that is nothing; a folder is found as the child that holds it, the
/// top as one without a name.
const EntryTree::Child* EntryTree::find(const Folder& from, std::string_view path, const Folder** holder) const {
  int hops = 0;
  return find(from, path, hops, holder);
}

const EntryTree::Child* EntryTree::find(const Folder& from, std::string_view path, int& hops,
                                        const Folder** holder) const {
  constexpr int kMostHops = 40;  // over all links on the way, as Linux
  if (hops > kMostHops || path.starts_with('/')) return nullptr;
  const Folder* folder = &from;
  const Child* child = nullptr;
  while (!path.empty()) {
    const std::string_view part = take_component(path);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (folder->parent == nullptr) return nullptr;
      folder = folder->parent;
      child = nullptr;
      continue;
    }
    const auto found = folder->children.find(part);
    if (found == folder->children.end()) return nullptr;
    child = &found->second;
    const Folder* next = child->folder.get();
    if (child->kind == EntryKind::symbolic_link) {
      const Folder* linked = nullptr;
      child = find(*folder, targets_.at(child->entry), ++hops, &linked);
      next = linked;
      if (child == nullptr && linked == nullptr) return nullptr;
    }
    if (next == nullptr) return path.empty() ? child : nullptr;
    folder = next;
  }
  *holder = folder;
  return child;
}

/// As walk_folder, over the tree.
class EntryTree::Walk {
 public:
  Walk(const EntryTree& tree, Listing& listing) : tree_(tree), listing_(listing) {}

  std::vector<File> run() && {
    enter(*tree_.root_, "");
    std::stable_sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.entry < b.entry; });
    return std::move(files_);
  }

 private:
  void enter(const Folder& folder, const std::string& path) {
    if (std::find(inside_.begin(), inside_.end(), &folder) != inside_.end()) return;
    count();
    if (!path.empty()) listing_.folders.push_back(path);
    inside_.push_back(&folder);
    std::vector<std::string_view> names;
    for (const auto& [name, child] : folder.children) names.push_back(name);
    std::sort(names.begin(), names.end(), natural_less);
    for (const std::string_view name : names)
      add(folder, folder.children.find(name)->second, path.empty() ? std::string(name) : concat(path, '/', name));
    inside_.pop_back();
  }

  /// Folders that hold links to folders that hold links double the files with each level.
  void count() {
    if (++visited_ > 10 * tree_.next_ + 1000)
      fail(ErrorKind::data, "[archive] ", tree_.archive_, ": its links lead to one another in more than ", visited_,
           " ways");
  }

  void add(const Folder& folder, const Child& child, std::string path) {
    count();
    if (is_hidden(path)) {
      ++listing_.hidden;
    } else if (child.folder != nullptr) {
      enter(*child.folder, path);
    } else if (child.kind == EntryKind::file) {
      files_.push_back({std::move(path), child.entry});
    } else if (child.kind == EntryKind::other) {
      if (is_picture_name(path)) fault(path, "is a pipe or a device, not a regular file");
    } else {
      follow(folder, child, std::move(path));
    }
  }

  void follow(const Folder& folder, const Child& link, std::string path) {
    const std::string& target = tree_.targets_.at(link.entry);
    const Folder* holder = nullptr;
    const Child* found = link.kind == EntryKind::hard_link ? nullptr : tree_.find(folder, target, &holder);
    if (holder != nullptr) {
      enter(*holder, path);
    } else if (found != nullptr && found->kind == EntryKind::file) {
      files_.push_back({std::move(path), found->entry});
    } else {
      fault(path, concat("is a link to ", target, ", which the archive does not hold"));
    }
  }

  void fault(const std::string& path, const std::string& why) {
    listing_.faults.push_back({path, concat("[archive] ", tree_.archive_, ": ", path, " ", why)});
  }

  const EntryTree& tree_;
  Listing& listing_;
  std::vector<const Folder*> inside_;
  std::vector<File> files_;
  int64_t visited_ = 0;
};

std::vector<EntryTree::File> EntryTree::list(Listing& listing) const {
  if (renamed_ > 0)
    listing.notes.push_back(concat(renamed_, " names of ", archive_,
                                   " are absolute or hold '..' and are taken below its top (first: ", first_renamed_,
                                   ")"));
  listing.faults = faults_;
  return Walk(*this, listing).run();
}

}  // namespace vit
