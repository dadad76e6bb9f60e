// A data set file (docs/formats.md) for reading.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/dataset.h"

namespace vit {

/// Reads the metadata and the shapes of all splits; a split's labels, offsets and pictures are read and checked when
/// it is asked for. Throws Error that names the file and the field.
std::shared_ptr<const Dataset> open_hdf5_dataset(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace vit
