#include "datasets/folder_walk.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "datasets/natural_order.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

class FolderWalk {
 public:
  explicit FolderWalk(const fs::path& root) : root_(root) {}

  Listing run() && {
    enter("");
    if (!root_error_.empty()) fail(ErrorKind::io, root_error_);
    std::sort(listing_.files.begin(), listing_.files.end(), natural_path_less);
    std::sort(listing_.folders.begin(), listing_.folders.end(), natural_path_less);
    std::sort(listing_.faults.begin(), listing_.faults.end(),
              [](const EntryFault& a, const EntryFault& b) { return natural_path_less(a.path, b.path); });
    return std::move(listing_);
  }

 private:
  fs::path at(const std::string& path) const { return path.empty() ? root_ : root_ / path; }

  void cannot(const char* what, const std::string& path, const std::error_code& error) {
    std::string text = concat("[folder] cannot ", what, " ", at(path).string(), ": ", error.message());
    if (path.empty())
      root_error_ = std::move(text);
    else
      listing_.faults.push_back({path, std::move(text)});
  }

  void enter(const std::string& path) {
    std::error_code error;
    fs::path real = fs::canonical(at(path), error);
    if (error) return cannot("read the folder", path, error);
    if (std::find(inside_.begin(), inside_.end(), real) != inside_.end()) return;
    if (!path.empty()) listing_.folders.push_back(path);
    inside_.push_back(std::move(real));
    fs::directory_iterator item(at(path), error);
    for (; !error && item != fs::directory_iterator(); item.increment(error)) add(*item, path);
    if (error) cannot("read the folder", path, error);
    inside_.pop_back();
  }

  void add(const fs::directory_entry& item, const std::string& folder) {
    std::string path = item.path().filename().string();
    if (!folder.empty()) path.insert(0, folder + '/');
    if (is_hidden(path)) {
      ++listing_.hidden;
      return;
    }
    std::error_code error;
    const fs::file_status status = item.status(error);
    switch (status.type()) {
      case fs::file_type::directory:
        return enter(path);
      case fs::file_type::regular:
        listing_.files.push_back(std::move(path));
        return;
      case fs::file_type::not_found:
        listing_.faults.push_back({path, concat("[folder] ", at(path).string(), " is a link to nowhere")});
        return;
      case fs::file_type::none:
        return cannot("read", path, error);
      default:
        if (is_picture_name(path))
          listing_.faults.push_back({path, concat("[folder] ", at(path).string(), " ", not_a_file(status.type()))});
    }
  }

  fs::path root_;
  std::vector<fs::path> inside_;
  Listing listing_;
  std::string root_error_;
};

}  // namespace

Listing walk_folder(const fs::path& root) { return FolderWalk(root).run(); }

std::string not_a_file(fs::file_type type) {
  const char* what = type == fs::file_type::fifo        ? "a named pipe"
                     : type == fs::file_type::socket    ? "a socket"
                     : type == fs::file_type::block     ? "a device"
                     : type == fs::file_type::character ? "a device"
                     : type == fs::file_type::directory ? "a folder"
                                                        : "something else";
  return concat("is ", what, ", not a regular file");
}

}  // namespace vit
