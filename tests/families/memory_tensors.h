// A file of tensors in memory.
#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vit/io/tensor_file.h"

namespace vit::test {

class MemoryTensors final : public TensorFile {
 public:
  struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };

  explicit MemoryTensors(std::map<std::string, Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const auto& [name, tensor] : tensors_)
      entries_.push_back({name, tensor.shape, static_cast<int64_t>(tensor.values.size()), "F32"});
  }

  const std::filesystem::path& path() const override { return path_; }
  const std::vector<TensorEntry>& entries() const override { return entries_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  void read(const TensorEntry& entry, std::span<float> values) const override {
    ++reads_;
    std::ranges::copy(tensors_.at(entry.name).values, values.begin());
  }
  int reads() const { return reads_; }

 private:
  std::filesystem::path path_ = "memory.safetensors";
  std::map<std::string, Tensor> tensors_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
  mutable int reads_ = 0;
};

/// As many different values as the shape has.
inline MemoryTensors::Tensor counted(std::vector<int64_t> shape, float first = 0) {
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  MemoryTensors::Tensor tensor{std::move(shape), std::vector<float>(static_cast<std::size_t>(count))};
  std::iota(tensor.values.begin(), tensor.values.end(), first);
  return tensor;
}

}  // namespace vit::test
