// A model in several files of safetensors that one index joins.
#pragma once

#include <filesystem>
#include <memory>

#include "vit/io/tensor_file.h"

namespace vit {

/// `index` is model.safetensors.index.json; its shards lie in the same folder. Each tensor lies in the shard that the
/// index says and in no other. The metadata is that of the first shard by name. Throws Error (io, data) that names the
/// file and the tensor.
std::unique_ptr<TensorFile> open_tensor_shards(const std::filesystem::path& index);

}  // namespace vit
