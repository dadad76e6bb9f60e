// Weights in files of other programs: named tensors, read one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vit {

struct TensorEntry {
  std::string name;
  std::vector<int64_t> shape;
  int64_t count = 0;  // of its elements
  std::string type;   // the file's word for it: "F32", "BF16", "<f4"
};

/// An opened and checked file, or a folder of shards that one index joins. Many threads may read at once.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// For messages.
  virtual const std::filesystem::path& path() const = 0;
  /// In the order of their names.
  virtual const std::vector<TensorEntry>& entries() const = 0;
  /// Text beside the tensors ("format": "pt"); empty where the format has none.
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  /// values [entry.count], row-major, converted to fp32. Throws Error (data) that names the tensor for bytes that
  /// cannot be read, types that are no floats, and numbers that are not finite.
  virtual void read(const TensorEntry& entry, std::span<float> values) const = 0;
};

/// By its first bytes: safetensors, or npz of NumPy; a folder holds model.safetensors, model.safetensors.index.json
/// with its shards (which may also be named itself), or open_clip_model.safetensors, the first of them that is there;
/// path() of the result says which. Everything but the values is checked. Throws Error (data, io) that names file,
/// tensor or field; a pickle of PyTorch gets the line of Python that converts it.
std::unique_ptr<TensorFile> open_tensor_file(const std::filesystem::path& path);

/// Null when there is none of that name.
const TensorEntry* find_tensor(const TensorFile& file, std::string_view name);

}  // namespace vit
