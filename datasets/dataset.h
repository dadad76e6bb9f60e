// A data set: named splits of labelled pictures, from an HDF5 file or a folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/folder_reading.h"

namespace vit {

struct Image;

/// Labelled pictures in a fixed order. Thread-safe.
class Split {
 public:
  virtual ~Split() = default;
  virtual int64_t size() const = 0;
  /// 0 <= label < classes.
  virtual int32_t label(int64_t index) const = 0;
  /// Where the picture came from; empty when not known.
  virtual std::string path(int64_t index) const = 0;
  /// Throws Error (data or io) that names the picture when it cannot be read.
  virtual Image image(int64_t index) const = 0;
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual const std::vector<std::string>& class_names() const = 0;
  /// Names of the splits that are there: train, val, test.
  virtual std::vector<std::string> split_names() const = 0;
  /// Null when there is no such split.
  virtual std::shared_ptr<const Split> split(const std::string& name) const = 0;
  /// The geometry that made the stored pixels (PreprocessConfig without mean and std matters); null when the
  /// pictures are as their authors made them.
  virtual nlohmann::json preprocess() const = 0;
  /// Whether the import was told to turn pictures upright as EXIF says; none where a model may still choose (folders).
  virtual std::optional<bool> exif_rotate() const { return std::nullopt; }
  /// Hex checksum over the labels and pictures of a split; empty when it has none (folders).
  virtual std::string checksum(const std::string& split) const = 0;
  /// Side of the square when all stored pictures are of one square size, else 0.
  virtual int64_t image_size() const = 0;
  /// The pictures are files of any size, so that image_size() is chance and binds nobody.
  virtual bool has_files() const { return false; }
};

/// Opens an HDF5 file or an image folder (see find_layout). Pictures of an HDF5 file are kept in memory when all of a
/// split fits `memory_budget` bytes.
struct OpenOptions {
  int64_t memory_budget = int64_t{1} << 30;
  FolderReading reading = FolderReading::automatic;  // of an image folder
};
std::shared_ptr<const Dataset> open_dataset(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace vit
