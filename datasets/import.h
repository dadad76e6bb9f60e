// Turns published data sets and folders of pictures into one HDF5 file (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/folder_layout.h"
#include "preprocess/config.h"
#include "vit/core/words.h"

namespace vit {

enum class SourceFormat { automatic, folder, cifar10, cifar100, mnist };
template <>
inline constexpr Word<SourceFormat> kWords<SourceFormat>[] = {{SourceFormat::automatic, "auto"},
                                                              {SourceFormat::folder, "folder"},
                                                              {SourceFormat::cifar10, "cifar10"},
                                                              {SourceFormat::cifar100, "cifar100"},
                                                              {SourceFormat::mnist, "mnist"}};

/// What an import is going to store, before it begins.
struct ImportPlan {
  std::vector<std::string> class_names;
  std::vector<std::vector<int64_t>>
      pictures;  // [index into kSplitNames][class], as far as is known without reading them
  FolderReading reading = FolderReading::classes;
  std::string around;                                    // folders left aside, as FolderLayout has it
  std::vector<FolderLayout::SplitFolder> split_folders;  // where splits come from
  std::vector<std::string> notes;                        // what is left out and why: a line each
};

struct ImportOptions {
  SourceFormat format = SourceFormat::automatic;
  int64_t size = 0;  // pixels of size x size; 0 = keep, all pictures must then have one size
  Interpolation interpolation = Interpolation::bicubic;
  ResizeRule rule = ResizeRule::shorter_side;
  bool exif_rotate = false;  // turn pictures upright as EXIF says; stored, and with `encoded` left to who decodes
  bool encoded = false;      // keep the original bytes of each file
  // Of train, stratified, where the source has no val; 0 = none; each class keeps a picture. What is set is an error
  // where there is nothing to draw.
  std::optional<double> val_fraction = {};  // 0.1
  std::optional<uint64_t> seed = {};        // 0
  FolderReading reading = FolderReading::automatic;
  ClassOrder class_order = ClassOrder::natural;
  bool force = false;
  std::function<void(const ImportPlan&)> plan;                // called before the first picture is read
  std::function<void(int64_t done, int64_t total)> progress;  // total may be -1
};

struct ImportSummary {
  struct SplitSummary {
    std::string name;
    int64_t images = 0;
    std::string checksum;
  };
  std::vector<SplitSummary> splits;
  std::vector<std::string> class_names;
  struct Skipped {
    std::string path;
    std::string error;
  };
  std::vector<Skipped> unreadable;  // named and counted, never replaced; also links to nowhere, closed folders, pipes
  std::vector<std::string> notes;   // classes that have no picture now, a line each
  int64_t ignored = 0;              // other files: hidden, without a picture's extension, in no class folder
};

/// SRC is a folder, or a .tar, .tar.gz, .tar.xz or .zip of what such a folder would hold; it is read twice. Folders are
/// taken in natural order, archives in their own, within each split. Memory stays bounded for pictures; CIFAR and MNIST
/// are held in memory as they are published. Throws Error.
ImportSummary import_dataset(const std::filesystem::path& source, const std::filesystem::path& out,
                             const ImportOptions& options);

}  // namespace vit
