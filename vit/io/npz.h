// Arrays of NumPy in one file: a zip with an entry NAME.npy for each, stored or deflated.
#pragma once

#include <filesystem>
#include <memory>

#include "vit/io/tensor_file.h"

namespace vit {

/// Checks the directory of the zip and the header of each array against the size of its entry; the checksum of an entry
/// is checked as its tensor is read. bfloat16 is what ml_dtypes writes: elements of two bytes without a type. Arrays in
/// the order of Fortran are turned. Throws Error (io, data) that names file and entry; for a zip of PyTorch the one of
/// refuse_torch_zip.
std::unique_ptr<TensorFile> open_npz(const std::filesystem::path& path);

}  // namespace vit
