// Objects of an HDF5 file as its metadata describes them, read without the library: superblock, object headers and what
// their messages say. After "HDF5 File Format Specification Version 3.0". Every function throws Error (data).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_source.h"

namespace vit::h5 {

inline constexpr std::size_t kMostDimensions = 32;

/// Checks the superblock, which states the file's size, and sets the base; returns where the root group lies.
uint64_t read_superblock(Source& source);

struct Message {
  enum Kind : uint16_t {
    kDataspace = 0x01,
    kLinkInfo = 0x02,
    kDatatype = 0x03,
    kLink = 0x06,
    kExternal = 0x07,
    kLayout = 0x08,
    kFilters = 0x0b,
    kAttribute = 0x0c,
    kContinuation = 0x10,
    kSymbolTable = 0x11,
    kAttributeInfo = 0x15,
  };
  uint16_t kind = 0;
  bool shared = false;  // the body is only a reference
  std::span<const uint8_t> body;
};

/// An object header; its messages point into its blocks.
struct Object {
  std::vector<std::vector<uint8_t>> blocks;
  std::vector<Message> messages;

  /// Null when there is none; throws when it is shared with other objects.
  const Message* find(const Source& source, Message::Kind kind) const;
  bool is_group() const;
  bool is_dataset() const;
};
Object read_object(const Source& source, uint64_t address);

/// Hard links of a group, by name: the addresses of their objects.
using Links = std::map<std::string, uint64_t, std::less<>>;
Links read_links(const Source& source, const Object& group);

struct Datatype {
  enum class Kind { number, text, other };
  Kind kind = Kind::other;
  std::optional<Type> type;  // of numbers that are read here
  uint64_t bytes = 0;
};
Datatype read_datatype(Cursor from);

struct Dataspace {
  std::vector<uint64_t> shape;
  std::vector<uint64_t> limit;  // as large as it may grow
  bool null = false;            // no elements, no shape
};
Dataspace read_dataspace(Cursor from);

struct Filter {
  enum Kind : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };
  uint16_t kind = 0;
};
std::vector<Filter> read_filters(Cursor from);

struct Layout {
  enum class Kind { compact, contiguous, chunked, unknown };
  enum class Index { tree1 = 0, single = 1, implicit = 2, fixed_array = 3, extensible_array = 4, tree2 = 5 };
  Kind kind = Kind::unknown;
  std::span<const uint8_t> compact;
  uint64_t address = kNoAddress;  // of the data, or of the index of chunks
  uint64_t bytes = 0;             // contiguous, or of a single filtered chunk
  Index index = Index::tree1;
  std::vector<uint64_t> chunk;  // shape
  bool long_sizes = false;      // sizes of filtered chunks take eight bytes
};
Layout read_layout(Cursor from);

/// Where a chunk lies; `skipped` has a bit for each filter that was not applied.
struct ChunkPlace {
  uint64_t address = kNoAddress;
  uint64_t bytes = 0;
  uint32_t skipped = 0;
};
/// All chunks in the order of their rows; those that were never written have no address. `whole` is a chunk's size
/// before filters.
std::vector<ChunkPlace> read_chunk_index(const Source& source, const Layout& layout, const Dataspace& space,
                                         uint64_t whole, bool filtered);

struct Attribute {
  Datatype type;
  Dataspace space;
  std::vector<uint8_t> value;
};
std::optional<Attribute> find_attribute(const Source& source, const Object& object, std::string_view name);

}  // namespace vit::h5
