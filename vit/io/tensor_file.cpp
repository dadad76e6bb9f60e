#include "vit/io/tensor_file.h"

#include <algorithm>
#include <array>
#include <string>
#include <system_error>

#include "vit/core/error.h"
#include "vit/core/text.h"
#include "vit/io/file_bytes.h"
#include "vit/io/npz.h"
#include "vit/io/other_weights.h"
#include "vit/io/safetensors.h"
#include "vit/io/tensor_shards.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStart = 64;

/// The first bytes of the file, fewer where it is shorter.
std::string start_of(const fs::path& path) {
  const FileBytes file(path);
  std::string start(std::min<uint64_t>(kStart, file.size()), '\0');
  file.read(0, {reinterpret_cast<uint8_t*>(start.data()), start.size()});
  return start;
}

/// A length of less than 4 GiB and the begin of a JSON object. Looked for first: the length may be the letters of any
/// other format.
bool begins_safetensors(std::string_view start) {
  return start.size() > 8 && start.substr(4, 5) == std::string_view("\0\0\0\0{", 5);
}

std::unique_ptr<TensorFile> open_file(const fs::path& path) {
  const std::string start = start_of(path);
  if (begins_safetensors(start)) return open_safetensors(path);
  if (start.starts_with("PK")) return open_npz(path);
  refuse_other_weights(start, path);
  if (path.extension() == ".safetensors") return open_safetensors(path);  // which tells what is wrong
  fail(ErrorKind::data, "[tensors] ", path.string(), " is neither safetensors nor .npz; it begins with '",
       printable(start.substr(0, 8)), "'");
}

/// The names under which libraries save a model, the first of them that is there.
std::unique_ptr<TensorFile> open_folder(const fs::path& folder) {
  std::error_code error;
  const auto there = [&](const char* name) { return fs::exists(folder / name, error); };
  if (there("model.safetensors")) return open_file(folder / "model.safetensors");
  if (there("model.safetensors.index.json")) return open_tensor_shards(folder / "model.safetensors.index.json");
  if (there("open_clip_model.safetensors")) return open_file(folder / "open_clip_model.safetensors");
  for (const char* pickle : {"pytorch_model.bin", "open_clip_pytorch_model.bin"})
    if (there(pickle)) open_file(folder / pickle);  // the line that converts it
  fail(ErrorKind::data, "[tensors] ", folder.string(),
       " holds no model.safetensors, model.safetensors.index.json or open_clip_model.safetensors; for another name, "
       "name the file itself");
}

}  // namespace

std::unique_ptr<TensorFile> open_tensor_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return open_folder(path);
  if (path.filename().string().ends_with(".safetensors.index.json")) return open_tensor_shards(path);
  return open_file(path);
}

const TensorEntry* find_tensor(const TensorFile& file, std::string_view name) {
  const auto& entries = file.entries();
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), name,
                       [](const TensorEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != entries.end() && found->name == name ? &*found : nullptr;
}

}  // namespace vit
