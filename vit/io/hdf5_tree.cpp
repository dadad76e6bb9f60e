#include "vit/io/hdf5_tree.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "vit/io/checksum.h"

namespace vit::h5 {
namespace {

constexpr uint64_t kSumBytes = 4;

/// What a node of a version 2 B-tree may hold, level by level from the leaves.
struct Level {
  uint64_t most_records = 0;
  uint64_t most_below = 0;  // records of a whole subtree
  unsigned below_bytes = 0;
};

class Tree2 {
 public:
  Tree2(Walk& walk, uint64_t address, uint8_t type, uint64_t record_bytes) : walk_(&walk), type_(type) {
    constexpr uint64_t kHeaderBytes = 38;
    const auto block = walk.read_block(address, kHeaderBytes, "BTHD");
    Cursor from = inside_block(walk.source(), block);
    from.expect_version(0);
    if (from.u8() != type) from.fail_here("has another type of records than ", +type);
    node_bytes_ = from.u32();
    record_bytes_ = from.u16();
    depth_ = from.u16();
    from.skip(2);
    root_ = from.u64();
    root_records_ = from.u16();
    constexpr unsigned kMostDepth = 16;  // each level holds at least twice as many records as that below
    if (record_bytes_ < record_bytes || node_bytes_ < kNodeOverhead + record_bytes_ || depth_ > kMostDepth)
      from.fail_here("has impossible sizes");
    plan_levels(from);
  }

  void visit_all(const std::function<void(std::span<const uint8_t>)>& visit) {
    if (root_ != kNoAddress) visit_node(root_, root_records_, depth_, visit);
  }

 private:
  static constexpr uint64_t kNodeOverhead = 10;

  void plan_levels(const Cursor& header) {
    Level leaf;
    leaf.most_records = leaf.most_below = (node_bytes_ - kNodeOverhead) / record_bytes_;
    count_bytes_ = bytes_for(leaf.most_records);
    levels_.push_back(leaf);
    for (unsigned depth = 1; depth <= depth_; ++depth) {
      const Level& below = levels_.back();
      const uint64_t pointer = 8 + count_bytes_ + below.below_bytes;
      Level level;
      if (node_bytes_ < kNodeOverhead + pointer) header.fail_here("has impossible sizes");
      level.most_records = (node_bytes_ - kNodeOverhead - pointer) / (record_bytes_ + pointer);
      if (below.most_below > (uint64_t{1} << 56) / (level.most_records + 1)) header.fail_here("has impossible sizes");
      level.most_below = (level.most_records + 1) * below.most_below + level.most_records;
      level.below_bytes = bytes_for(level.most_below);
      levels_.push_back(level);
    }
  }

  void visit_node(uint64_t address, uint64_t records, unsigned depth,
                  const std::function<void(std::span<const uint8_t>)>& visit) {
    const Level& level = levels_[depth];
    if (records > level.most_records) walk_->source().fail_damaged("a B-tree node with too many records");
    const uint64_t pointer = depth == 0 ? 0 : 8 + count_bytes_ + levels_[depth - 1].below_bytes;
    const uint64_t bytes = kNodeOverhead + records * record_bytes_ + (depth == 0 ? 0 : (records + 1) * pointer);
    const auto block = walk_->read_block(address, bytes, depth == 0 ? "BTLF" : "BTIN");
    Cursor from = inside_block(walk_->source(), block);
    from.expect_version(0);
    if (from.u8() != type_) from.fail_here("has another type of records than its tree");
    Cursor record(walk_->source(), from.take(records * record_bytes_), "B-tree record");
    for (uint64_t i = 0; i <= records; ++i) {
      if (depth > 0) {
        const uint64_t child = from.u64();
        const uint64_t count = from.number(count_bytes_);
        from.skip(levels_[depth - 1].below_bytes);
        visit_node(child, count, depth - 1, visit);
      }
      if (i < records) visit(record.take(record_bytes_));
    }
  }

  Walk* walk_;
  uint8_t type_;
  uint64_t node_bytes_ = 0;
  uint64_t record_bytes_ = 0;
  unsigned depth_ = 0;
  uint64_t root_ = kNoAddress;
  uint64_t root_records_ = 0;
  unsigned count_bytes_ = 0;
  std::vector<Level> levels_;
};

struct Tree1 {
  Walk& walk;
  uint8_t type;
  uint64_t key_bytes;
  const std::function<void(std::span<const uint8_t>, uint64_t)>& visit;

  void node(uint64_t address, int level) const {
    constexpr uint64_t kHeaderBytes = 24;
    const auto header = walk.read(address, kHeaderBytes, "B-tree node");
    Cursor from(walk.source(), header, "B-tree node");
    if (!std::ranges::equal(from.take(4), std::string_view("TREE"))) from.fail_here("has no signature");
    if (from.u8() != type) from.fail_here("has another type than its tree");
    const int own_level = from.u8();
    if (level >= 0 && own_level != level) from.fail_here("is not at its level");
    const uint64_t children = from.u16();
    const auto content = walk.read(address + kHeaderBytes, children * (key_bytes + 8), "B-tree node");
    Cursor entries(walk.source(), content, "B-tree node");
    for (uint64_t i = 0; i < children; ++i) {
      const auto key = entries.take(key_bytes);
      const uint64_t child = entries.u64();
      if (own_level == 0)
        visit(key, child);
      else
        node(child, own_level - 1);
    }
  }
};

}  // namespace

void walk_tree2(Walk& walk, uint64_t address, uint8_t type, uint64_t record_bytes,
                const std::function<void(std::span<const uint8_t>)>& visit) {
  Tree2(walk, address, type, record_bytes).visit_all(visit);
}

void walk_tree1(Walk& walk, uint64_t address, uint8_t type, uint64_t key_bytes,
                const std::function<void(std::span<const uint8_t> key, uint64_t child)>& visit) {
  Tree1{walk, type, key_bytes, visit}.node(address, -1);
}

FractalHeap::FractalHeap(Walk& walk, uint64_t address) : walk_(&walk), address_(address) {
  constexpr uint64_t kHeaderBytes = 146;
  const auto block = walk.read_block(address, kHeaderBytes, "FRHP");
  Cursor from = inside_block(walk.source(), block);
  from.expect_version(0);
  from.skip(2);
  if (from.u16() != 0) from.fail_here("is compressed, which is not read");
  sums_ = (from.u8() & 2) != 0;
  const uint64_t most_managed = from.u32();
  from.skip(12 * 8);  // statistics, and places of huge objects
  table_width_ = from.u16();
  first_bytes_ = from.u64();
  most_direct_ = from.u64();
  const unsigned heap_bits = from.u16();
  from.skip(2);
  root_ = from.u64();
  root_rows_ = from.u16();
  constexpr uint64_t kMostBlock = uint64_t{1} << 32;
  const bool powers = std::has_single_bit(table_width_) && std::has_single_bit(first_bytes_) &&
                      std::has_single_bit(most_direct_) && first_bytes_ <= most_direct_ && most_direct_ <= kMostBlock;
  if (!powers || heap_bits == 0 || heap_bits > 64) from.fail_here("has impossible sizes");
  offset_bytes_ = (heap_bits + 7) / 8;
  length_bytes_ = std::min(bytes_for(most_direct_), bytes_for(most_managed));
}

std::span<const uint8_t> FractalHeap::object(std::span<const uint8_t> id) {
  Cursor from(walk_->source(), id, "heap object");
  if (from.u8() != 0) from.fail_here("is a huge or tiny one, which is not read");
  const uint64_t offset = from.number(offset_bytes_);
  const uint64_t bytes = from.number(length_bytes_);
  const Block& block = block_of(offset);
  const uint64_t begin = offset - block.offset;
  if (begin > block.bytes.size() || bytes > block.bytes.size() - begin) from.fail_here("leaves its block");
  walk_->charge(bytes);  // objects may not overlap either
  return std::span(block.bytes).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(bytes));
}

uint64_t FractalHeap::row_bytes(unsigned row) const { return row == 0 ? first_bytes_ : first_bytes_ << (row - 1); }

const FractalHeap::Block& FractalHeap::block_of(uint64_t offset) {
  auto after = blocks_.upper_bound(offset);
  if (after != blocks_.begin()) {
    const Block& before = std::prev(after)->second;
    if (offset - before.offset < before.bytes.size()) return before;
  }
  if (root_rows_ == 0) {
    if (offset >= first_bytes_) walk_->source().fail_damaged("a heap object beyond its heap");
    return load_block(root_, 0, first_bytes_);
  }
  uint64_t address = root_;
  uint64_t rows = root_rows_;
  uint64_t start = 0;  // of the indirect block in the heap
  const auto direct_rows = static_cast<unsigned>(std::countr_zero(most_direct_) - std::countr_zero(first_bytes_)) + 2;
  for (;;) {
    // Each row but the second is twice as large as that before it.
    unsigned row = 0;
    uint64_t row_start = start;
    while (row < rows && row < 48 && offset - row_start >= row_bytes(row) * table_width_)
      row_start += row_bytes(row++) * table_width_;
    if (row >= rows || row >= 48) walk_->source().fail_damaged("a heap object beyond its heap");
    const uint64_t column = (offset - row_start) / row_bytes(row);
    const uint64_t entry = row * table_width_ + column;
    auto& block = indirect_[address];
    if (block.empty()) {
      const uint64_t bytes = 4 + 1 + 8 + offset_bytes_ + rows * table_width_ * 8 + kSumBytes;
      block = walk_->read_block(address, bytes, "FHIB");
    }
    Cursor from = inside_block(walk_->source(), block);
    from.expect_version(0);
    if (from.u64() != address_) from.fail_here("belongs to another heap");
    if (from.number(offset_bytes_) != start) from.fail_here("is not at its place in the heap");
    from.skip(entry * 8);
    address = from.u64();
    start = row_start + column * row_bytes(row);
    if (row < direct_rows) return load_block(address, start, row_bytes(row));
    const int below = std::countr_zero(row_bytes(row)) - std::countr_zero(first_bytes_ * table_width_) + 1;
    if (below < 1) from.fail_here("has impossible sizes");
    rows = static_cast<uint64_t>(below);
  }
}

const FractalHeap::Block& FractalHeap::load_block(uint64_t address, uint64_t offset, uint64_t bytes) {
  const Source& source = walk_->source();
  Block block{walk_->read(address, bytes, "heap block"), offset};
  Cursor from(source, block.bytes, "heap block");
  if (!std::ranges::equal(from.take(4), std::string_view("FHDB"))) from.fail_here("has no signature");
  from.expect_version(0);
  if (from.u64() != address_) from.fail_here("belongs to another heap");
  if (from.number(offset_bytes_) != offset) from.fail_here("is not at its place in the heap");
  if (sums_) {  // of the block with zeros where the sum stands
    const auto stored = static_cast<uint32_t>(from.number(kSumBytes));
    const auto place = block.bytes.end() - static_cast<std::ptrdiff_t>(from.left() + kSumBytes);
    std::fill_n(place, kSumBytes, uint8_t{0});
    if (lookup3(block.bytes) != stored) from.fail_here("does not match its checksum");
  }
  return blocks_.insert_or_assign(offset, std::move(block)).first->second;
}

}  // namespace vit::h5
