#include "infer/inputs.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "datasets/folder_walk.h"
#include "datasets/natural_order.h"
#include "preprocess/picture_names.h"
#include "vit/core/error.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

/// The pictures below a folder and what lies in the place of one, in natural order.
void add_folder(const std::string& folder, std::vector<InputFile>& files) {
  Listing listing;
  try {
    listing = walk_folder(folder);
  } catch (const Error& error) {
    files.push_back({folder, error.what()});
    return;
  }
  std::vector<EntryFault> found = std::move(listing.faults);
  for (std::string& path : listing.files)
    if (is_picture_name(path)) found.push_back({std::move(path), {}});
  std::sort(found.begin(), found.end(),
            [](const EntryFault& a, const EntryFault& b) { return natural_path_less(a.path, b.path); });
  for (EntryFault& entry : found) files.push_back({(fs::path(folder) / entry.path).string(), std::move(entry.error)});
  if (found.empty()) files.push_back({folder, "holds no picture files (by extension: .jpg, .png, ...)"});
}

void add_existing(const std::string& argument, const fs::file_status& status, std::vector<InputFile>& files) {
  if (fs::is_directory(status))
    add_folder(argument, files);
  else if (fs::is_regular_file(status))
    files.push_back({argument, {}});
  else
    files.push_back({argument, concat("[inputs] ", not_a_file(status.type()))});
}

std::vector<std::string> glob_matches(const std::string& pattern) {
  glob_t found{};
  const int rc = glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
  std::vector<std::string> matches;
  for (std::size_t i = 0; rc == 0 && i < found.gl_pathc; ++i) matches.emplace_back(found.gl_pathv[i]);
  globfree(&found);
  std::sort(matches.begin(), matches.end(), natural_less);
  return matches;
}

/// What a pattern matched, without being a pattern again.
void add_match(const std::string& match, std::vector<InputFile>& files) {
  std::error_code error;
  const fs::file_status status = fs::status(match, error);
  if (fs::exists(status))
    add_existing(match, status, files);
  else
    files.push_back({match, error && status.type() != fs::file_type::not_found ? "[inputs] " + error.message()
                                                                               : "[inputs] is a link to nowhere"});
}

void add_argument(const std::string& argument, std::vector<InputFile>& files) {
  std::error_code error;
  const fs::file_status status = fs::status(argument, error);
  if (fs::exists(status)) {
    add_existing(argument, status, files);
    return;
  }
  if (status.type() != fs::file_type::not_found) {
    files.push_back({argument, concat("[inputs] ", error.message())});
    return;
  }
  if (argument.find_first_of("*?[") == std::string::npos) {
    files.push_back({argument, fs::is_symlink(fs::symlink_status(argument, error))
                                   ? "[inputs] is a link to nowhere"
                                   : "[inputs] no such file or folder"});
    return;
  }
  const std::vector<std::string> matches = glob_matches(argument);
  if (matches.empty()) files.push_back({argument, "[inputs] no file matches the pattern"});
  for (const std::string& match : matches) add_match(match, files);
}

}  // namespace

std::vector<InputFile> expand_inputs(const std::vector<std::string>& arguments) {
  if (arguments.empty()) fail(ErrorKind::usage, "[inputs] needs at least one picture, folder or pattern, has none");
  std::vector<InputFile> files;
  for (const std::string& argument : arguments) add_argument(argument, files);
  std::error_code error;
  if (std::all_of(files.begin(), files.end(),
                  [&](const InputFile& file) { return fs::is_directory(file.path, error); }))
    fail(ErrorKind::data, "[inputs] ", files.front().path, ": ", files.front().error);
  return files;
}

}  // namespace vit
