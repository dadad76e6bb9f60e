// The five ways in which HDF5 finds chunks.
#include <algorithm>
#include <bit>

#include "vit/io/hdf5_object.h"
#include "vit/io/hdf5_tree.h"

namespace vit::h5 {
namespace {

constexpr uint8_t kPlainChunks = 10;
constexpr uint8_t kFilteredChunks = 11;
constexpr uint64_t kSumBytes = 4;
constexpr unsigned kMostBits = 48;  // of an index of an array

class IndexReader {
 public:
  IndexReader(const Source& source, const Layout& layout, const Dataspace& space, uint64_t whole, bool filtered)
      : source_(source), walk_(source), layout_(layout), space_(space), whole_(whole), filtered_(filtered) {
    size_bytes_ = layout.long_sizes ? 8 : std::min(8u, 1 + (static_cast<unsigned>(std::bit_width(whole)) - 1 + 8) / 8);
    entry_bytes_ = filtered ? 8 + size_bytes_ + 4 : 8;
    for (std::size_t d = 0; d < space.shape.size(); ++d)
      grid_.push_back(space.shape[d] / layout.chunk[d] + (space.shape[d] % layout.chunk[d] != 0));
  }

  std::vector<ChunkPlace> read() {
    // An index needs eight bytes for each chunk that is there, so more than that are not there.
    constexpr uint64_t kLeastBytes = 8;
    uint64_t count = 1;
    for (uint64_t n : grid_) {
      if (n != 0 && count > source_.size() / kLeastBytes / n) return {};
      count *= n;
    }
    places_.resize(static_cast<std::size_t>(count));
    if (layout_.address == kNoAddress || count == 0) return std::move(places_);
    switch (layout_.index) {
      case Layout::Index::tree1:
        read_tree1();
        break;
      case Layout::Index::single:
        places_[0] = {layout_.address, filtered_ ? layout_.bytes : whole_, 0};
        break;
      case Layout::Index::implicit:
        read_array([&](uint64_t index) { return ChunkPlace{layout_.address + index * whole_, whole_, 0}; });
        break;
      case Layout::Index::fixed_array:
        read_fixed_array();
        break;
      case Layout::Index::extensible_array:
        read_extensible_array();
        break;
      case Layout::Index::tree2:
        read_tree2();
        break;
    }
    return std::move(places_);
  }

 private:
  [[noreturn]] void fail_index() const { source_.fail_damaged("a chunk index with impossible sizes"); }

  /// Puts a chunk where its place in the grid says; those beyond the shape don't count.
  void put(const std::vector<uint64_t>& at, const ChunkPlace& place) {
    uint64_t index = 0;
    for (std::size_t d = 0; d < grid_.size(); ++d) {
      if (at[d] >= grid_[d]) return;
      index = index * grid_[d] + at[d];
    }
    places_[static_cast<std::size_t>(index)] = place;
  }

  void read_tree1() {
    const std::size_t rank = grid_.size();
    walk_tree1(walk_, layout_.address, 1, 8 + 8 * (rank + 1), [&](std::span<const uint8_t> key, uint64_t child) {
      Cursor from(source_, key, "key of a chunk");
      ChunkPlace place{child, from.u32(), 0};
      place.skipped = from.u32();
      std::vector<uint64_t> at;
      for (std::size_t d = 0; d < rank; ++d) {
        const uint64_t corner = from.u64();
        if (corner % layout_.chunk[d] != 0) from.fail_here("is not where a chunk begins");
        at.push_back(corner / layout_.chunk[d]);
      }
      put(at, place);
    });
  }

  ChunkPlace entry(Cursor& from) const {
    ChunkPlace place{from.u64(), whole_, 0};
    if (filtered_) {
      place.bytes = from.number(size_bytes_);
      place.skipped = from.u32();
    }
    return place;
  }

  void read_tree2() {
    const std::size_t rank = grid_.size();
    walk_tree2(walk_, layout_.address, filtered_ ? kFilteredChunks : kPlainChunks, entry_bytes_ + 8 * rank,
               [&](std::span<const uint8_t> record) {
                 Cursor from(source_, record, "record of a chunk");
                 const ChunkPlace place = entry(from);
                 std::vector<uint64_t> at;
                 for (std::size_t d = 0; d < rank; ++d) at.push_back(from.u64());
                 put(at, place);
               });
  }

  /// Arrays are numbered over the grid of the largest shape; its first dimension doesn't matter, so it may be
  /// unlimited.
  template <class At>
  void read_array(const At& at) {
    std::vector<uint64_t> limit = grid_;
    for (std::size_t d = 1; d < limit.size(); ++d) {
      if (space_.limit[d] == kNoAddress)
        fail(ErrorKind::data, "[hdf5] ", source_.path().string(),
             " has a dataset that grows by another dimension than its first, which is not read");
      limit[d] = std::max(limit[d], space_.limit[d] / layout_.chunk[d] + (space_.limit[d] % layout_.chunk[d] != 0));
    }
    std::vector<uint64_t> corner(grid_.size(), 0);
    for (ChunkPlace& place : places_) {
      uint64_t index = 0;
      for (std::size_t d = 0; d < corner.size(); ++d) {
        if (index > (uint64_t{1} << kMostBits) / limit[d]) fail_index();
        index = index * limit[d] + corner[d];
      }
      place = at(index);
      for (std::size_t d = corner.size(); d-- > 0;) {
        if (++corner[d] < grid_[d]) break;
        corner[d] = 0;
      }
    }
  }

  /// Entries of a block, or of a page of one.
  std::vector<ChunkPlace> entries(Cursor& from, uint64_t count) const {
    std::vector<ChunkPlace> out;
    for (uint64_t i = 0; i < count; ++i) out.push_back(entry(from));
    return out;
  }

  /// Pages of a block whose entries are too many for one sum.
  std::vector<ChunkPlace> paged_entries(uint64_t address, uint64_t count, uint64_t page) {
    std::vector<ChunkPlace> out;
    while (count > 0) {
      const uint64_t here = std::min(page, count);
      const auto bytes = walk_.read(address, here * entry_bytes_ + kSumBytes, "page of a chunk index");
      // Pages that nobody used are not written; all of their bytes are zero, or nothing.
      const bool used = std::ranges::any_of(bytes, [](uint8_t byte) { return byte != 0; });
      if (used) check_sum(source_, bytes, "page of a chunk index");
      Cursor from(source_, bytes, "page of a chunk index");
      for (uint64_t i = 0; i < here; ++i) out.push_back(used ? entry(from) : ChunkPlace{});
      address += bytes.size();
      count -= here;
    }
    return out;
  }

  void check_client(Cursor& from) const {
    from.expect_version(0);
    if (from.u8() != (filtered_ ? 1 : 0)) from.fail_here("is for other chunks");
  }

  void read_fixed_array() {
    const auto header = walk_.read_block(layout_.address, 28, "FAHD");
    Cursor from = inside_block(source_, header);
    check_client(from);
    if (from.u8() != entry_bytes_) fail_index();
    const unsigned page_bits = from.u8();
    const uint64_t count = from.u64();
    const uint64_t address = from.u64();
    if (page_bits >= kMostBits || count > source_.size()) fail_index();
    if (address == kNoAddress) return;
    const uint64_t page = uint64_t{1} << page_bits;
    constexpr uint64_t kPrefix = 4 + 1 + 1 + 8;
    std::vector<ChunkPlace> all;
    if (count > page) {
      const uint64_t bitmap = ((count + page - 1) / page + 7) / 8;
      const auto block = walk_.read_block(address, kPrefix + bitmap + kSumBytes, "FADB");
      check_block(block);
      all = paged_entries(address + block.size(), count, page);
    } else {
      const auto block = walk_.read_block(address, kPrefix + count * entry_bytes_ + kSumBytes, "FADB");
      Cursor content = check_block(block);
      all = entries(content, count);
    }
    read_array(
        [&](uint64_t index) { return index < all.size() ? all[static_cast<std::size_t>(index)] : ChunkPlace{}; });
  }

  Cursor check_block(std::span<const uint8_t> block) const {
    Cursor from = inside_block(source_, block);
    check_client(from);
    if (from.u64() != layout_.address) from.fail_here("belongs to another index");
    return from;
  }

  struct Extensible {
    uint64_t in_index = 0;  // entries in the index block
    uint64_t least = 0;     // entries of the smallest data block
    uint64_t page = 0;
    unsigned offset_bytes = 0;
    unsigned supers = 0;  // super blocks, those in the index block included
    unsigned supers_in_index = 0;
  };
  static uint64_t blocks_of(unsigned super) { return uint64_t{1} << (super / 2); }
  static uint64_t entries_of(const Extensible& array, unsigned super) { return array.least << ((super + 1) / 2); }

  void append_data_block(const Extensible& array, uint64_t address, uint64_t count, std::vector<ChunkPlace>& all) {
    if (address == kNoAddress) {
      const uint64_t wanted = std::min<uint64_t>(count, most_ - std::min<uint64_t>(most_, all.size()));
      all.resize(all.size() + static_cast<std::size_t>(wanted));
      return;
    }
    const uint64_t prefix = 4 + 1 + 1 + 8 + array.offset_bytes;
    std::vector<ChunkPlace> here;
    if (count > array.page) {
      const auto block = walk_.read_block(address, prefix + kSumBytes, "EADB");
      check_block(block);
      // Pages behind the last entry that is needed may not be written yet.
      const uint64_t wanted = std::min(count, most_ - std::min<uint64_t>(most_, all.size()));
      const uint64_t pages = (wanted + array.page - 1) / array.page;
      here = paged_entries(address + block.size(), std::min(count, pages * array.page), array.page);
    } else {
      const auto block = walk_.read_block(address, prefix + count * entry_bytes_ + kSumBytes, "EADB");
      Cursor from = check_block(block);
      from.skip(array.offset_bytes);
      here = entries(from, count);
    }
    all.insert(all.end(), here.begin(), here.end());
  }

  void append_super_block(const Extensible& array, unsigned super, uint64_t address, std::vector<ChunkPlace>& all) {
    const uint64_t blocks = blocks_of(super);
    const uint64_t each = entries_of(array, super);
    if (address == kNoAddress) return append_data_block(array, address, blocks * each, all);
    const uint64_t bitmap = each > array.page ? blocks * ((each / array.page + 7) / 8) : 0;
    const auto bytes =
        walk_.read_block(address, 4 + 1 + 1 + 8 + array.offset_bytes + bitmap + 8 * blocks + kSumBytes, "EASB");
    Cursor from = check_block(bytes);
    from.skip(array.offset_bytes + bitmap);
    for (uint64_t b = 0; b < blocks && all.size() < most_; ++b) append_data_block(array, from.u64(), each, all);
  }

  void read_extensible_array() {
    const auto header = walk_.read_block(layout_.address, 72, "EAHD");
    Cursor from = inside_block(source_, header);
    check_client(from);
    if (from.u8() != entry_bytes_) fail_index();
    const unsigned bits = from.u8();
    Extensible array;
    array.in_index = from.u8();
    array.least = from.u8();
    const unsigned pointers = from.u8();
    const unsigned page_bits = from.u8();
    from.skip(6 * 8);
    const uint64_t address = from.u64();
    if (bits == 0 || bits > kMostBits || page_bits >= kMostBits || !std::has_single_bit(array.least) ||
        !std::has_single_bit(pointers) || static_cast<unsigned>(std::countr_zero(array.least)) > bits)
      fail_index();
    array.page = uint64_t{1} << page_bits;
    array.offset_bytes = (bits + 7) / 8;
    array.supers = 1 + bits - static_cast<unsigned>(std::countr_zero(array.least));
    array.supers_in_index = 2 * static_cast<unsigned>(std::countr_zero(pointers));
    if (array.supers < array.supers_in_index) fail_index();
    if (address == kNoAddress) return;

    most_ = places_.size();  // at least; a wider limit than the shape needs more
    for (std::size_t d = 1; d < grid_.size(); ++d)
      if (space_.limit[d] != space_.shape[d]) most_ = source_.size() / entry_bytes_;
    const uint64_t direct = 2 * (pointers - 1);
    const uint64_t indirect = array.supers - array.supers_in_index;
    const auto bytes = walk_.read_block(
        address, 4 + 1 + 1 + 8 + array.in_index * entry_bytes_ + 8 * (direct + indirect) + kSumBytes, "EAIB");
    Cursor block = check_block(bytes);
    std::vector<ChunkPlace> all = entries(block, array.in_index);
    for (unsigned super = 0; super < array.supers && all.size() < most_; ++super) {
      if (super >= array.supers_in_index)
        append_super_block(array, super, block.u64(), all);
      else
        for (uint64_t b = 0; b < blocks_of(super); ++b)
          append_data_block(array, block.u64(), entries_of(array, super), all);
    }
    read_array(
        [&](uint64_t index) { return index < all.size() ? all[static_cast<std::size_t>(index)] : ChunkPlace{}; });
  }

  const Source& source_;
  Walk walk_;
  const Layout& layout_;
  const Dataspace& space_;
  uint64_t whole_;
  bool filtered_;
  unsigned size_bytes_ = 0;
  uint64_t entry_bytes_ = 0;
  std::vector<uint64_t> grid_;  // chunks along each dimension
  uint64_t most_ = 0;           // entries of an extensible array that are needed
  std::vector<ChunkPlace> places_;
};

}  // namespace

std::vector<ChunkPlace> read_chunk_index(const Source& source, const Layout& layout, const Dataspace& space,
                                         uint64_t whole, bool filtered) {
  return IndexReader(source, layout, space, whole, filtered).read();
}

}  // namespace vit::h5
