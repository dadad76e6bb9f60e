#include "vit/io/hdf5_object.h"

#include <algorithm>
#include <utility>

namespace vit::h5 {
namespace {

struct Part {
  uint64_t address = 0;
  uint64_t bytes = 0;
};

/// Collects the messages of a header's blocks, which may lead to more of them.
class HeaderReader {
 public:
  explicit HeaderReader(const Source& source) : source_(&source), walk_(source) {}

  Object read(uint64_t address) {
    std::array<uint8_t, 4> start;
    source_->read(address, start, "object header");
    if (std::ranges::equal(start, std::string_view("OHDR")))
      read_late(address);
    else
      read_early(address);
    return std::move(object_);
  }

 private:
  void read_early(uint64_t address) {
    constexpr uint64_t kPrefixBytes = 16;
    const auto prefix = walk_.read(address, kPrefixBytes, "object header");
    Cursor from(*source_, prefix, "object header");
    from.expect_version(1);
    from.skip(1 + 2 + 4);
    add_part({address + kPrefixBytes, from.u32()});
    for (; !parts_.empty();) {
      const Part part = take_part();
      object_.blocks.push_back(walk_.read(part.address, part.bytes, "object header"));
      Cursor messages(*source_, object_.blocks.back(), "object header");
      while (messages.left() >= 8) {
        const uint16_t kind = messages.u16();
        const uint64_t bytes = messages.u16();
        const uint8_t flags = messages.u8();
        messages.skip(3);
        add({kind, (flags & 2) != 0, messages.take(bytes)});
      }
    }
  }

  void read_late(uint64_t address) {
    std::array<uint8_t, 6> start;
    source_->read(address, start, "object header");
    if (start[4] != 2) source_->fail_damaged("object header version ", +start[4], ", 1 and 2 are read");
    const unsigned flags = start[5];
    const unsigned size_bytes = 1u << (flags & 3);
    const uint64_t optional = ((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0);
    std::array<uint8_t, 8> size_field{};
    source_->read(address + start.size() + optional, std::span(size_field).first(size_bytes), "object header");
    const uint64_t messages = Cursor(*source_, size_field, "object header").number(size_bytes);
    const uint64_t before = start.size() + optional + size_bytes;
    source_->check(address + before, messages, "object header");
    count_bytes(messages);
    add_block(walk_.read_block(address, before + messages + 4, "OHDR"), before - 4, (flags & 4) != 0);
    while (!parts_.empty()) {
      const Part part = take_part();
      add_block(walk_.read_block(part.address, part.bytes, "OCHK"), 0, (flags & 4) != 0);
    }
  }

  /// Messages of a block of version 2, `skipped` bytes after its four letters.
  void add_block(std::vector<uint8_t> block, uint64_t skipped, bool ordered) {
    object_.blocks.push_back(std::move(block));
    Cursor from = inside_block(*source_, object_.blocks.back());
    from.skip(skipped);
    const std::size_t prefix = ordered ? 6 : 4;
    while (from.left() >= prefix) {
      const uint16_t kind = from.u8();
      const uint64_t bytes = from.u16();
      const uint8_t flags = from.u8();
      from.skip(prefix - 4);
      add({kind, (flags & 2) != 0, from.take(bytes)});
    }
  }

  void add(Message message) {
    if (message.kind != Message::kContinuation) {
      object_.messages.push_back(message);
      return;
    }
    Cursor from(*source_, message.body, "continuation of an object header");
    const uint64_t address = from.u64();
    add_part({address, from.u64()});
  }

  /// Messages take more memory than bytes in the file.
  void count_bytes(uint64_t bytes) {
    constexpr uint64_t kMostBytes = uint64_t{16} << 20;
    if ((bytes_ += std::min(bytes, kMostBytes + 1)) > kMostBytes)
      source_->fail_damaged("an object header of more than ", kMostBytes, " bytes");
  }
  void add_part(Part part) {
    count_bytes(part.bytes);
    parts_.push_back(part);
  }
  Part take_part() {
    const Part part = parts_.front();
    parts_.erase(parts_.begin());
    return part;
  }

  const Source* source_;
  Walk walk_;
  std::vector<Part> parts_;
  uint64_t bytes_ = 0;
  Object object_;
};

constexpr uint64_t padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

Object read_object(const Source& source, uint64_t address) { return HeaderReader(source).read(address); }

const Message* Object::find(const Source& source, Message::Kind kind) const {
  const auto found = std::ranges::find(messages, kind, &Message::kind);
  if (found == messages.end()) return nullptr;
  if (found->shared)
    fail(ErrorKind::data, "[hdf5] ", source.path().string(),
         " shares parts of its objects' headers (committed types?), which is not read");
  return &*found;
}

bool Object::is_group() const {
  return std::ranges::any_of(
      messages, [](const Message& m) { return m.kind == Message::kLinkInfo || m.kind == Message::kSymbolTable; });
}

bool Object::is_dataset() const {
  return std::ranges::any_of(messages, [](const Message& m) { return m.kind == Message::kLayout; });
}

Dataspace read_dataspace(Cursor from) {
  Dataspace space;
  const int version = from.u8();
  if (version != 1 && version != 2) from.fail_here("has version ", version, ", 1 and 2 are read");
  const std::size_t rank = from.u8();
  const bool limited = (from.u8() & 1) != 0;
  if (rank > kMostDimensions) from.fail_here("has ", rank, " dimensions");
  if (version == 1)
    from.skip(5);
  else
    space.null = from.u8() == 2;
  for (std::size_t d = 0; d < rank; ++d) space.shape.push_back(from.u64());
  space.limit = space.shape;
  if (limited)
    for (uint64_t& limit : space.limit) limit = from.u64();
  return space;
}

Datatype read_datatype(Cursor from) {
  const unsigned kind = from.u8();
  const unsigned bits = static_cast<unsigned>(from.number(3));
  Datatype type;
  type.bytes = from.u32();
  if (type.bytes == 0) from.fail_here("has no bytes");
  const bool big_endian = (bits & 1) != 0;
  switch (kind & 15) {
    case 0: {  // integers
      type.kind = Datatype::Kind::number;
      const bool is_signed = (bits & 8) != 0;
      const uint64_t offset = from.u16();
      const bool plain = offset == 0 && from.u16() == 8 * type.bytes && (!big_endian || type.bytes == 1);
      if (!plain) break;
      if (type.bytes == 1) type.type = is_signed ? Type::i8 : Type::u8;
      if (type.bytes == 4 && is_signed) type.type = Type::i32;
      if (type.bytes == 8 && is_signed) type.type = Type::i64;
      break;
    }
    case 1: {  // IEEE
      type.kind = Datatype::Kind::number;
      constexpr unsigned kSignAndNorm = 31u << 8 | 2u << 4;
      constexpr std::array<uint8_t, 12> kSingle{0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0};
      if (type.bytes == 4 && (bits & 0xff71) == kSignAndNorm && std::ranges::equal(from.take(12), kSingle))
        type.type = Type::f32;
      break;
    }
    case 3:
      type.kind = Datatype::Kind::text;
      break;
    default:
      break;
  }
  return type;
}

std::vector<Filter> read_filters(Cursor from) {
  const int version = from.u8();
  if (version != 1 && version != 2) from.fail_here("has version ", version, ", 1 and 2 are read");
  std::vector<Filter> filters(from.u8());
  if (filters.size() > 32) from.fail_here("names ", filters.size(), " filters");
  if (version == 1) from.skip(6);
  for (Filter& filter : filters) {
    filter.kind = from.u16();
    const uint64_t name_bytes = version == 1 || filter.kind >= 256 ? from.u16() : 0;
    from.skip(2);
    const uint64_t values = from.u16();
    from.skip(version == 1 ? padded(name_bytes) : name_bytes);
    from.skip(4 * values + (version == 1 && values % 2 == 1 ? 4 : 0));
  }
  return filters;
}

namespace {

void read_chunked(Cursor& from, int version, Layout& layout) {
  using Index = Layout::Index;
  if (version == 3) {
    const std::size_t rank = from.u8();
    layout.address = from.u64();
    for (std::size_t d = 0; d < rank; ++d) layout.chunk.push_back(from.u32());
  } else {
    constexpr unsigned kEdgesUnfiltered = 1;
    constexpr unsigned kSingleFiltered = 2;
    const unsigned flags = from.u8();
    if ((flags & kEdgesUnfiltered) != 0) from.fail_here("leaves edges unfiltered, which is not read");
    const std::size_t rank = from.u8();
    const unsigned width = from.u8();
    if (width == 0 || width > 8) from.fail_here("has impossible sizes");
    for (std::size_t d = 0; d < rank && d <= kMostDimensions; ++d) layout.chunk.push_back(from.number(width));
    const unsigned index = from.u8();
    if (index < 1 || index > 5) from.fail_here("has chunk index ", index, ", which is not read");
    layout.index = static_cast<Index>(index);
    if (layout.index == Index::single && (flags & kSingleFiltered) != 0) {
      layout.bytes = from.u64();
      from.skip(4);
    }
    constexpr std::array<uint64_t, 6> kParameters{0, 0, 0, 1, 5, 6};
    from.skip(kParameters[index]);
    layout.address = from.u64();
  }
  if (layout.chunk.size() < 2 || layout.chunk.size() > kMostDimensions + 1 || std::ranges::count(layout.chunk, 0u) > 0)
    from.fail_here("has impossible chunks");
  layout.chunk.pop_back();  // the element's size
}

}  // namespace

Layout read_layout(Cursor from) {
  Layout layout;
  const int version = from.u8();
  if (version < 3 || version > 5) from.fail_here("has version ", version, ", 3 to 5 are read");
  const int kind = from.u8();
  layout.long_sizes = version == 5;
  if (kind == 0) {
    layout.kind = Layout::Kind::compact;
    const uint64_t bytes = from.u16();
    layout.compact = from.take(bytes);
  } else if (kind == 1) {
    layout.kind = Layout::Kind::contiguous;
    layout.address = from.u64();
    layout.bytes = from.u64();
  } else if (kind == 2) {
    layout.kind = Layout::Kind::chunked;
    read_chunked(from, version, layout);
  }
  return layout;
}

}  // namespace vit::h5
