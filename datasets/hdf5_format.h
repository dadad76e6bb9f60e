// What the writer and the reader of data set files agree on (docs/formats.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "datasets/split_names.h"
#include "vit/io/checksum.h"

namespace vit {

inline constexpr const char* kDatasetFormat = "vit-dataset";
inline constexpr const char* kDatasetVersion = "1";

/// The checksum of a split: of (int32 label, int64 byte count, bytes) of each picture in order.
class PictureChecksum {
 public:
  void add(int32_t label, std::span<const uint8_t> picture) {
    hash_.add_u32(static_cast<uint32_t>(label));
    hash_.add_u64(picture.size());
    hash_.add(picture);
  }
  std::string hex() const { return hash_.hex(); }

 private:
  Xxh64 hash_;
};

}  // namespace vit
