// One split of a data set file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "datasets/dataset.h"
#include "vit/io/hdf5.h"

namespace vit {

/// What the shapes say.
struct SplitHeader {
  std::string name;
  int64_t size = 0;
  bool encoded = false;
  int64_t height = 0;  // of pixels
  int64_t width = 0;
  int64_t picture_bytes = 0;  // of all pictures together
  bool paths = false;
  std::string checksum;  // empty when the file has none
};

SplitHeader read_split_header(const h5::File& file, const std::string& name);

/// Checks labels and offsets. Reads the pictures into memory and verifies the checksum when they fit the budget;
/// else pictures are read one by one, and the sums of their chunks are verified.
std::shared_ptr<const Split> open_hdf5_split(const h5::File& file, const SplitHeader& header, int64_t classes,
                                             int64_t memory_budget);

}  // namespace vit
