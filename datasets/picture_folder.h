// Writes pictures as an image folder, the form in which people keep their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace vit {

struct Image;

/// ROOT/<split>/<class>/0000.png, 0001.png, ... in the order of `add`. Not thread-safe.
class PictureFolder {
 public:
  /// Throws Error (usage) when `root` exists.
  explicit PictureFolder(std::filesystem::path root);

  /// Throws Error (io) when the file cannot be written.
  void add(const std::string& split, const std::string& class_name, const Image& image);
  /// Pictures written to a split so far.
  int64_t count(const std::string& split) const;

 private:
  std::filesystem::path root_;
  std::map<std::string, std::map<std::string, int64_t>> counts_;
};

}  // namespace vit
