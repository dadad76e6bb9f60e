// A file of tensors that has names and shapes and no values, for tests of what is read from them.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "vit/io/tensor_file.h"

namespace vit::test {

class ShapesOnly final : public TensorFile {
 public:
  using Shapes = std::map<std::string, std::vector<int64_t>>;

  explicit ShapesOnly(const Shapes& shapes) {
    for (const auto& [name, shape] : shapes) {
      TensorEntry entry{.name = name, .shape = shape, .count = 1, .type = "F32"};
      for (int64_t n : shape) entry.count *= n;
      entries_.push_back(entry);
    }
  }

  const std::filesystem::path& path() const override { return path_; }
  const std::vector<TensorEntry>& entries() const override { return entries_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  void read(const TensorEntry& entry, std::span<float>) const override {
    throw std::logic_error(entry.name + " has no values");
  }

 private:
  std::filesystem::path path_ = "shapes.safetensors";
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace vit::test
