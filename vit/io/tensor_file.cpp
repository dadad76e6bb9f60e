#include "vit/io/tensor_file.h"

#include <algorithm>
#include <array>

#include "vit/core/error.h"
#include "vit/io/file_bytes.h"
#include "vit/io/safetensors.h"

namespace vit {

std::unique_ptr<TensorFile> open_tensor_file(const std::filesystem::path& path) { return open_safetensors(path); }

const TensorEntry* find_tensor(const TensorFile& file, std::string_view name) {
  const auto& entries = file.entries();
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), name,
                       [](const TensorEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != entries.end() && found->name == name ? &*found : nullptr;
}

}  // namespace vit
