// Names: the links of a group, and the attributes of an object.
#include <algorithm>

#include "vit/io/checksum.h"
#include "vit/io/hdf5_object.h"
#include "vit/io/hdf5_tree.h"

namespace vit::h5 {
namespace {

constexpr uint8_t kLinksByName = 5;
constexpr uint8_t kAttributesByName = 8;
constexpr uint64_t kHeapIdBytes = 7;  // of a link
constexpr uint64_t kAttributeIdBytes = 8;

std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::string_view view_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void add_link(Cursor from, Links& links) {
  from.expect_version(1);
  const unsigned flags = from.u8();
  const int type = (flags & 8) != 0 ? from.u8() : 0;
  if ((flags & 4) != 0) from.skip(8);
  if ((flags & 0x10) != 0) from.skip(1);
  const auto name = from.take(from.number(1u << (flags & 3)));
  if (type == 0) links.insert_or_assign(text_of(name), from.u64());  // the others lead elsewhere
}

/// Links in a heap, found through a tree of their names.
void add_dense_links(Walk& walk, Cursor info, Links& links) {
  info.expect_version(0);
  const unsigned flags = info.u8();
  if ((flags & 1) != 0) info.skip(8);
  const uint64_t heap_address = info.u64();
  const uint64_t tree_address = info.u64();
  if (heap_address == kNoAddress) return;
  FractalHeap heap(walk, heap_address);
  walk_tree2(walk, tree_address, kLinksByName, 4 + kHeapIdBytes, [&](std::span<const uint8_t> record) {
    add_link({walk.source(), heap.object(record.subspan(4, kHeapIdBytes)), "link"}, links);
  });
}

/// Groups of the first kind: a tree of nodes of symbols, whose names lie in a heap.
void add_symbols(Walk& walk, Cursor table, Links& links) {
  const Source& source = walk.source();
  const uint64_t tree_address = table.u64();
  const uint64_t heap_address = table.u64();
  constexpr uint64_t kHeapBytes = 32;
  const auto heap_header = walk.read(heap_address, kHeapBytes, "heap of names");
  Cursor from(source, heap_header, "heap of names");
  if (!std::ranges::equal(from.take(4), std::string_view("HEAP"))) from.fail_here("has no signature");
  from.expect_version(0);
  from.skip(3);
  const uint64_t heap_bytes = from.u64();
  from.skip(8);
  const auto names = walk.read(from.u64(), heap_bytes, "heap of names");

  walk_tree1(walk, tree_address, 0, 8, [&](std::span<const uint8_t>, uint64_t node_address) {
    constexpr uint64_t kNodeHeader = 8;
    constexpr uint64_t kSymbolBytes = 40;
    const auto header = walk.read(node_address, kNodeHeader, "symbols");
    Cursor node(source, header, "symbols");
    if (!std::ranges::equal(node.take(4), std::string_view("SNOD"))) node.fail_here("have no signature");
    node.expect_version(1);
    node.skip(1);
    const auto content = walk.read(node_address + kNodeHeader, node.u16() * kSymbolBytes, "symbols");
    for (Cursor symbols(source, content, "symbols"); symbols.left() > 0;) {
      const uint64_t name_place = symbols.u64();
      const uint64_t object = symbols.u64();
      constexpr uint32_t kSoftLink = 2;
      const bool hard = symbols.u32() != kSoftLink;
      symbols.skip(4 + 16);
      if (name_place >= names.size()) symbols.fail_here("have a name beyond their heap");
      const auto begin = names.begin() + static_cast<std::ptrdiff_t>(name_place);
      const auto end = std::find(begin, names.end(), 0);
      walk.charge(static_cast<uint64_t>(end - begin));
      if (hard) links.insert_or_assign(std::string(begin, end), object);
    }
  });
}

constexpr uint64_t padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

/// The attribute of a message when it has that name.
std::optional<Attribute> attribute_named(Cursor from, std::string_view name) {
  const int version = from.u8();
  if (version < 1 || version > 3) from.fail_here("has version ", version, ", 1 to 3 are read");
  const unsigned flags = from.u8();
  const uint64_t name_bytes = from.u16();
  const uint64_t type_bytes = from.u16();
  const uint64_t space_bytes = from.u16();
  if (version == 3) from.skip(1);
  const auto part = [&](uint64_t bytes) { return from.take(version == 1 ? padded(bytes) : bytes); };
  const auto stored_name = part(name_bytes);
  const auto name_end = std::ranges::find(stored_name, 0);
  if (view_of(stored_name.first(static_cast<std::size_t>(name_end - stored_name.begin()))) != name) return std::nullopt;
  if (version > 1 && (flags & 3) != 0) from.fail_here("has a type that is kept elsewhere, which is not read");
  Attribute attribute;
  attribute.type = read_datatype({from.source(), part(type_bytes), "type of an attribute"});
  attribute.space = read_dataspace({from.source(), part(space_bytes), "shape of an attribute"});
  const auto value = from.take(from.left());
  attribute.value.assign(value.begin(), value.end());
  return attribute;
}

}  // namespace

Links read_links(const Source& source, const Object& group) {
  Links links;
  Walk walk(source);
  for (const Message& message : group.messages)
    if (message.kind == Message::kLink && !message.shared) add_link({source, message.body, "link"}, links);
  if (const Message* info = group.find(source, Message::kLinkInfo))
    add_dense_links(walk, {source, info->body, "link info"}, links);
  if (const Message* table = group.find(source, Message::kSymbolTable))
    add_symbols(walk, {source, table->body, "symbol table"}, links);
  return links;
}

std::optional<Attribute> find_attribute(const Source& source, const Object& object, std::string_view name) {
  for (const Message& message : object.messages) {
    if (message.kind != Message::kAttribute || message.shared) continue;
    if (auto found = attribute_named({source, message.body, "attribute"}, name)) return found;
  }
  const Message* info = object.find(source, Message::kAttributeInfo);
  if (info == nullptr) return std::nullopt;
  Cursor from(source, info->body, "attribute info");
  from.expect_version(0);
  if ((from.u8() & 1) != 0) from.skip(2);
  const uint64_t heap_address = from.u64();
  const uint64_t tree_address = from.u64();
  if (heap_address == kNoAddress) return std::nullopt;
  Walk walk(source);
  FractalHeap heap(walk, heap_address);
  std::optional<Attribute> found;
  const uint32_t wanted = lookup3({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  walk_tree2(walk, tree_address, kAttributesByName, kAttributeIdBytes + 9, [&](std::span<const uint8_t> record) {
    Cursor fields(source, record, "attribute record");
    const auto id = fields.take(kAttributeIdBytes);
    constexpr unsigned kShared = 2;
    const bool shared = (fields.u8() & kShared) != 0;
    fields.skip(4);
    if (found || shared || fields.u32() != wanted) return;
    found = attribute_named({source, heap.object(id), "attribute"}, name);
  });
  return found;
}

}  // namespace vit::h5
