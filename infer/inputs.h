// What the user named on the command line, as a list of pictures in a fixed order.
#pragma once

#include <string>
#include <vector>

namespace vit {

struct InputFile {
  std::string path;
  std::string error;  // why it cannot be read (no such file, no permission); empty when it may be tried
};

/// Each argument is, in this order of meaning:
/// - a regular file: taken whatever its extension;
/// - a folder: the pictures below it by extension, natural order ("9.png" before "10.png"), hidden files left out (see
///   walk_folder);
/// - a pattern (*, ?, [...]) as a shell would expand it, each match then read as a file or folder.
/// What cannot be read stays in the list with its error: what does not exist, a folder without pictures or without
/// permission, a named pipe. Throws Error (usage) for no arguments, Error (data) for nothing but folders without
/// pictures.
std::vector<InputFile> expand_inputs(const std::vector<std::string>& arguments);

}  // namespace vit
