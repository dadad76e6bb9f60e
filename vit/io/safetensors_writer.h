// Writes files of the safetensors format, one tensor at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "vit/core/function_ref.h"

namespace vit {

/// A tensor of fp32 that is to be written.
struct WrittenTensor {
  std::string name;
  std::vector<int64_t> shape;
};

enum class TensorOrder {
  by_name,  // as the format's own library does
  given,
};

struct SafetensorsOptions {
  std::map<std::string, std::string> metadata = {};  // {"format", "pt"}: what loaders of PyTorch ask for
  TensorOrder order = TensorOrder::by_name;
};

/// Writes the file whole or not at all (write_atomically). `values(index, out)` fills out [count] with tensor `index`
/// of the list, row-major; it is called once for each, in the order of the file. Throws Error (usage) for names that
/// are empty, doubled, not UTF-8 or "__metadata__" and for negative dimensions, Error (io), and what `values` throws.
void write_safetensors(const std::filesystem::path& path, const std::vector<WrittenTensor>& tensors,
                       FunctionRef<void(std::size_t index, std::span<float> out)> values,
                       const SafetensorsOptions& options = {});

}  // namespace vit
