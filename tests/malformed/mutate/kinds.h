// The kinds of files that the program opens, with good examples of each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vit::test {

struct Example {
  std::filesystem::path folder;  // holds all that is needed beside the file
  std::filesystem::path file;    // the one that is damaged
};

struct FileKind {
  std::string name;
  std::vector<Example> examples;
  /// Opens the example's file and reads all of it, as the program would. Throws vit::Error.
  void (*use)(const Example& example);
};

/// Makes the examples below `folder`. `more` are files of somebody else's, taken as the kind that they look like.
std::vector<FileKind> make_kinds(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& more);

}  // namespace vit::test
