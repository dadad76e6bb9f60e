// The dump of another program's model that `vit parity` reads (docs/formats.md), checked as it is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vit/io/hdf5.h"

namespace vit {

class ParityReference {
 public:
  /// Throws Error (data) for a file of another kind and for pictures that do not fit, io where it cannot be read.
  explicit ParityReference(const std::filesystem::path& path);

  static constexpr int64_t kMostPictures = 64;
  int64_t pictures() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  /// The bytes of a picture's file, and the name that it had.
  std::span<const uint8_t> picture(int64_t index) const;
  std::string picture_name(int64_t index) const;
  const nlohmann::json& metadata() const { return metadata_; }

  /// The first dimension counts the pictures. Nothing where the dump has no such stage.
  std::optional<std::vector<int64_t>> shape(const std::string& dataset) const;
  /// Throws Error (data) where a value is not finite.
  std::vector<float> values(const std::string& dataset) const;

 private:
  h5::File file_;
  nlohmann::json metadata_;
  std::vector<int64_t> offsets_;
  std::vector<uint8_t> encoded_;
};

}  // namespace vit
