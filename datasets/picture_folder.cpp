#include "datasets/picture_folder.h"

#include <fstream>
#include <vector>

#include "preprocess/encode_png.h"
#include "vit/core/error.h"

namespace vit {
namespace {

std::string file_name(int64_t index) {
  std::string digits = std::to_string(index);
  return std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits + ".png";
}

}  // namespace

PictureFolder::PictureFolder(std::filesystem::path root) : root_(std::move(root)) {
  if (std::filesystem::exists(root_))
    fail(ErrorKind::usage, "[picture_folder] ", root_.string(), " exists already; name a folder that does not");
}

void PictureFolder::add(const std::string& split, const std::string& class_name, const Image& image) {
  const std::filesystem::path folder = root_ / split / class_name;
  int64_t& count = counts_[split][class_name];
  if (count == 0) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) fail(ErrorKind::io, "[picture_folder] cannot make the folder ", folder.string(), ": ", error.message());
  }
  const std::filesystem::path path = folder / file_name(count);
  const std::vector<uint8_t> bytes = encode_png(image);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) fail(ErrorKind::io, "[picture_folder] cannot write ", path.string(), "; is the disk full?");
  ++count;
}

int64_t PictureFolder::count(const std::string& split) const {
  const auto found = counts_.find(split);
  if (found == counts_.end()) return 0;
  int64_t sum = 0;
  for (const auto& [name, count] : found->second) sum += count;
  return sum;
}

}  // namespace vit
