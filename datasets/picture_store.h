// The writing half of an import: pictures are prepared in parallel and stored in order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/hdf5_writer.h"
#include "datasets/import.h"
#include "preprocess/image.h"

namespace vit {

/// A picture on its way into the file.
struct Picture {
  int split = 0;  // index into kSplitNames
  int32_t label = 0;
  std::string path;           // for people; stored when not empty
  std::vector<uint8_t> file;  // as it was read; empty when `image` came from an array
  Image image;                // its rows without gaps once it is to be stored
  std::string error;          // why it is left out; empty when it can be stored
};

class PictureStore {
 public:
  /// `out` is truncated.
  PictureStore(const std::filesystem::path& out, const ImportOptions& options);

  /// Decodes and resizes in parallel, then appends in order. Throws Error (data) for a picture of another size than
  /// those before it, where the options ask for neither a size nor encoded files. `pictures` is used up.
  void add(std::vector<Picture>& pictures);

  /// How many pictures to hand over at once, so that their pixels take a bounded amount of memory.
  int64_t chunk() const;
  /// Handed over so far.
  int64_t done() const { return done_; }

  /// Pictures stored so far, [split][class].
  std::vector<std::vector<int64_t>> stored(size_t classes) const;

  /// Ends the file; the summary holds splits, class names and what was unreadable. Throws Error (data) when not one
  /// picture could be read.
  ImportSummary finish(const std::vector<std::string>& class_names, const std::string& source);

 private:
  void prepare(Picture& picture) const;
  void append(const Picture& picture);
  void check_size(const Picture& picture);
  SplitFormat format_for(const Picture& picture) const;

  ImportOptions options_;
  std::optional<PreprocessConfig> geometry_;  // when pictures are resized
  Hdf5DatasetWriter writer_;
  std::vector<std::optional<Hdf5SplitWriter>> splits_;
  int64_t width_ = 0;  // of the first picture
  int64_t height_ = 0;
  int64_t done_ = 0;
  std::vector<int> stored_splits_;  // of each picture that was stored, with its label
  std::vector<int32_t> stored_labels_;
  std::vector<ImportSummary::Skipped> unreadable_;
};

}  // namespace vit
