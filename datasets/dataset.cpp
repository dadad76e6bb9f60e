#include "datasets/dataset.h"

#include <array>
#include <fstream>

#include "datasets/hdf5_dataset.h"
#include "datasets/image_folder.h"
#include "vit/core/error.h"

namespace vit {
namespace {

bool has_hdf5_signature(const std::filesystem::path& path) {
  constexpr std::array<char, 8> kSignature{'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  std::array<char, 8> start{};
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), start.size());
  return file.good() && start == kSignature;
}

}  // namespace

std::shared_ptr<const Dataset> open_dataset(const std::filesystem::path& path, const OpenOptions& options) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) fail(ErrorKind::io, "[dataset] there is no file or folder ", path.string());
  if (std::filesystem::is_directory(status)) return open_image_folder(path, {options.reading, ClassOrder::natural});
  if (options.reading != FolderReading::automatic)
    fail(ErrorKind::usage, "[dataset] --layout has no effect: ", path.string(), " is no folder of pictures");
  if (!has_hdf5_signature(path))
    fail(ErrorKind::data, "[dataset] ", path.string(),
         " is neither an HDF5 file nor a folder; other sources become one with `vit data import`");
  return open_hdf5_dataset(path, options);
}

}  // namespace vit
