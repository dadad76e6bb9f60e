#include "infer/inputs.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "datasets/natural_order.h"
#include "preprocess/image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

/// A folder below, by way of links or not, one of its own parents would never end.
bool is_among(const fs::path& folder, const std::vector<fs::path>& parents) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  return error || std::find(parents.begin(), parents.end(), real) != parents.end();
}

void add_folder(const fs::path& folder, std::vector<fs::path>& parents, std::vector<InputFile>& files) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!is_hidden(it->path())) names.push_back(it->path().filename().string());
  }
  if (error) {
    files.push_back({folder.string(), concat("[inputs] cannot list the folder: ", error.message())});
    return;
  }
  std::sort(names.begin(), names.end(), natural_less);
  parents.push_back(fs::canonical(folder, error));
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    if (fs::is_directory(path, error)) {
      if (!is_among(path, parents)) add_folder(path, parents, files);
    } else if (has_image_extension(path)) {
      files.push_back({path.string(), {}});
    }
  }
  parents.pop_back();
}

void add_existing(const std::string& argument, std::vector<InputFile>& files) {
  std::error_code error;
  if (!fs::is_directory(argument, error)) {
    files.push_back({argument, {}});
    return;
  }
  const std::size_t before = files.size();
  std::vector<fs::path> parents;
  add_folder(argument, parents, files);
  if (files.size() == before)
    fail(ErrorKind::data, "[inputs] ", argument, ": holds no picture files (by extension: .jpg, .png, ...)");
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

void add_argument(const std::string& argument, std::vector<InputFile>& files) {
  std::error_code error;
  const fs::file_status status = fs::status(argument, error);
  if (fs::exists(status)) {
    add_existing(argument, files);
    return;
  }
  if (status.type() != fs::file_type::not_found) {
    files.push_back({argument, concat("[inputs] ", error.message())});
    return;
  }
  if (argument.find_first_of("*?[") == std::string::npos) {
    files.push_back({argument, "[inputs] no such file or folder"});
    return;
  }
  const std::vector<std::string> matches = glob_matches(argument);
  if (matches.empty()) files.push_back({argument, "[inputs] no file matches the pattern"});
  for (const std::string& match : matches) add_existing(match, files);
}

}  // namespace

std::vector<InputFile> expand_inputs(const std::vector<std::string>& arguments) {
  if (arguments.empty()) fail(ErrorKind::usage, "[inputs] needs at least one picture, folder or pattern, has none");
  std::vector<InputFile> files;
  for (const std::string& argument : arguments) add_argument(argument, files);
  return files;
}

}  // namespace vit
