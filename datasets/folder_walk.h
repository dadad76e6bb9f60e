// The one walk over folders, for data sets and for pictures named on the command line.
#pragma once

#include <filesystem>
#include <string>

#include "datasets/entry_source.h"

namespace vit {

/// All below `root`, files in natural order. Links are followed, but not back to a folder that the walk is in. What
/// cannot be listed or read becomes a fault and ends nothing. Throws Error (io) when `root` itself cannot be listed.
Listing walk_folder(const std::filesystem::path& root);

/// Why something that exists cannot be read as a file: "is a named pipe, not a regular file", ...
std::string not_a_file(std::filesystem::file_type type);

}  // namespace vit
