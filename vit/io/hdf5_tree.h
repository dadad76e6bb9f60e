// The searchable structures of HDF5's metadata, walked from end to end. Every function throws Error (data).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "vit/io/hdf5_source.h"

namespace vit::h5 {

/// Records of a version 2 B-tree, in order. They are `type` records of at least `record_bytes`.
void walk_tree2(Walk& walk, uint64_t address, uint8_t type, uint64_t record_bytes,
                const std::function<void(std::span<const uint8_t>)>& visit);

/// Leaves of a version 1 B-tree: the key before each child, and the child's address. `type` 0: groups, 1: chunks.
void walk_tree1(Walk& walk, uint64_t address, uint8_t type, uint64_t key_bytes,
                const std::function<void(std::span<const uint8_t> key, uint64_t child)>& visit);

/// A heap of small objects under a doubling table of blocks.
class FractalHeap {
 public:
  FractalHeap(Walk& walk, uint64_t address);
  /// The object of an identifier; valid while the heap lives.
  std::span<const uint8_t> object(std::span<const uint8_t> id);

 private:
  struct Block {
    std::vector<uint8_t> bytes;
    uint64_t offset = 0;  // in the heap
  };
  const Block& block_of(uint64_t offset);
  const Block& load_block(uint64_t address, uint64_t offset, uint64_t bytes);
  uint64_t row_bytes(unsigned row) const;

  Walk* walk_;
  uint64_t address_ = 0;
  bool sums_ = false;
  uint64_t table_width_ = 0;
  uint64_t first_bytes_ = 0;
  uint64_t most_direct_ = 0;
  unsigned offset_bytes_ = 0;
  unsigned length_bytes_ = 0;
  uint64_t root_ = kNoAddress;
  uint64_t root_rows_ = 0;
  std::map<uint64_t, Block> blocks_;                   // direct ones, by their offset
  std::map<uint64_t, std::vector<uint8_t>> indirect_;  // by their address
};

}  // namespace vit::h5
