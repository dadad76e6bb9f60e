// Files of the safetensors format: a header of JSON with names, types, shapes and places, then the bytes of all
// tensors. https://github.com/huggingface/safetensors describes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "vit/io/tensor_file.h"

namespace vit {

/// Headers of more bytes are refused; a model of 1,000 tensors needs a tenth of a megabyte.
inline constexpr uint64_t kMostSafetensorsHeader = 16 << 20;

/// Checks all but the values: the header against the file, each tensor's size against its shape, and that the tensors
/// cover the data without gaps and overlaps. Throws Error (io, data) that names file, tensor and field.
std::unique_ptr<TensorFile> open_safetensors(const std::filesystem::path& path);

}  // namespace vit
