// Files of weights that are not read, and what their owner can do.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "vit/io/zip_file.h"

namespace vit {

/// Throws Error (data) with one sentence when the first bytes are those of a pickle of PyTorch, HDF5, a single array of
/// NumPy, GGUF or a pointer of Git LFS. A pickle is a program, so it is not run here: the sentence holds the line of
/// Python that converts it.
void refuse_other_weights(std::string_view start, const std::filesystem::path& path);
/// The same for a zip that torch.save or torch.jit.save has written.
void refuse_torch_zip(const std::vector<ZipEntry>& entries, const std::filesystem::path& path);

}  // namespace vit
