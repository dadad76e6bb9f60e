// A folder of pictures as a data set, read from its files whenever a picture is wanted.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/dataset.h"
#include "datasets/folder_layout.h"

namespace vit {

/// The splits and classes that find_layout finds, with its notes as warnings. Each split is in order of class, then of
/// path in natural order. A picture that cannot be read is noticed when it is asked for; so is what lies in the place
/// of one (a link to nowhere, a closed folder, a named pipe). The result has no preprocess and no checksum; its
/// image_size looks at the headers of up to 2000 pictures, spread evenly, at the first call. Throws Error: io for a
/// folder that cannot be read, data and usage as find_layout.
std::shared_ptr<const Dataset> open_image_folder(const std::filesystem::path& root, const LayoutOptions& options = {});

}  // namespace vit
