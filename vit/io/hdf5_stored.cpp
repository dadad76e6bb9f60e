#include "vit/io/hdf5_stored.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace vit::h5 {
namespace {

/// Bytes of `shape` elements, or -1 when that is more than any file holds.
int64_t bytes_of(const std::vector<int64_t>& shape, uint64_t element) {
  constexpr int64_t kMost = int64_t{1} << 56;
  auto bytes = static_cast<int64_t>(element);
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  for (int64_t n : shape) {
    if (n < 0 || bytes > kMost / n) return -1;
    bytes *= n;
  }
  return bytes;
}

/// What can come out of `stored` bytes: deflate makes at most 1032 bytes of one.
uint64_t most_bytes_from(uint64_t stored, bool deflated) {
  constexpr uint64_t kDeflateLimit = 1032;
  if (!deflated) return stored;
  return stored > std::numeric_limits<uint64_t>::max() / kDeflateLimit ? std::numeric_limits<uint64_t>::max()
                                                                       : stored * kDeflateLimit;
}

std::vector<int64_t> signed_shape(const Source& source, const std::string& name, const std::vector<uint64_t>& shape) {
  std::vector<int64_t> out;
  for (uint64_t n : shape) {
    if (n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      source.fail_object(name, "has a size that no file holds");
    out.push_back(static_cast<int64_t>(n));
  }
  return out;
}

}  // namespace

StoredFile::StoredFile(const std::filesystem::path& path) : source_(path), root_(read_superblock(source_)) {}

std::shared_ptr<const Links> StoredFile::links_of(uint64_t group) const {
  const std::lock_guard lock(mutex_);
  auto& links = links_[group];
  if (links) return links;
  const Object object = read_object(source_, group);
  links = std::make_shared<Links>(object.is_group() ? read_links(source_, object) : Links());
  return links;
}

std::optional<uint64_t> StoredFile::address_of(const std::string& name) const {
  if (name.empty() || name[0] != '/') fail(ErrorKind::internal, "[hdf5] '", name, "' is not an absolute path");
  uint64_t address = root_;
  for (std::size_t begin = 1; begin < name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const auto links = links_of(address);
    const auto found = links->find(std::string_view(name).substr(begin, end - begin));
    if (found == links->end()) return std::nullopt;
    address = found->second;
    begin = end + 1;
  }
  return address;
}

std::optional<Object> StoredFile::find(const std::string& name) const {
  const auto address = address_of(name);
  if (!address) return std::nullopt;
  return read_object(source_, *address);
}

Object StoredFile::open(const std::string& name) const {
  auto object = find(name);
  if (!object) source_.fail_object(name, "is missing");
  return *std::move(object);
}

std::vector<std::string> StoredFile::children(const std::string& group) const {
  const auto address = address_of(group);
  if (!address) source_.fail_object(group, "is missing");
  if (!read_object(source_, *address).is_group()) source_.fail_object(group, "is not a group");
  std::vector<std::string> names;
  for (const auto& [name, object] : *links_of(*address)) names.push_back(name);
  return names;
}

StoredDataset::StoredDataset(std::shared_ptr<const StoredFile> file, std::string name, const Object& object)
    : file_(std::move(file)), name_(std::move(name)) {
  const Source& from = source();
  if (!object.is_dataset()) from.fail_object(name_, "is not a dataset");
  const Message* type = object.find(from, Message::kDatatype);
  const Message* space = object.find(from, Message::kDataspace);
  if (type == nullptr || space == nullptr) from.fail_object(name_, "has no type or shape");
  type_ = read_datatype({from, type->body, "type of a dataset"});
  const Dataspace extent = read_dataspace({from, space->body, "shape of a dataset"});
  if (extent.null) from.fail_object(name_, "has no shape");
  shape_ = signed_shape(from, name_, extent.shape);
  const int64_t bytes = bytes_of(shape_, type_.bytes);
  if (bytes < 0) from.fail_object(name_, "has a size that no file holds");
  count_ = bytes / static_cast<int64_t>(type_.bytes);

  if (object.find(from, Message::kExternal) != nullptr)
    from.fail_object(name_, "keeps its data in other files, which is not read");
  if (const Message* filters = object.find(from, Message::kFilters)) {
    filters_ = read_filters({from, filters->body, "filters of a dataset"});
    check_filters();
  }
  const Layout layout = read_layout({from, object.find(from, Message::kLayout)->body, "layout of a dataset"});
  kind_ = layout.kind;
  switch (kind_) {
    case Layout::Kind::compact:
      compact_.assign(layout.compact.begin(), layout.compact.end());
      if (static_cast<uint64_t>(bytes) > compact_.size()) fail_size(compact_.size(), bytes);
      break;
    case Layout::Kind::contiguous:
      address_ = layout.address;
      if (const uint64_t stored = address_ == kNoAddress ? 0 : layout.bytes; static_cast<uint64_t>(bytes) > stored)
        fail_size(stored, bytes);
      if (bytes > 0) from.check(address_, static_cast<uint64_t>(bytes), concat("data of ", name_));
      break;
    case Layout::Kind::chunked:
      find_chunks(layout, extent, bytes);
      break;
    case Layout::Kind::unknown:
      from.fail_object(name_, "has a storage layout that is not read here (virtual?)");
  }
}

void StoredDataset::fail_size(uint64_t stored, int64_t bytes) const {
  source().fail_object(name_, "has a shape of ", bytes, " bytes, the file holds only ", stored,
                       " for it; is it cut off?");
}

/// Filters that are not part of every HDF5 library would be plug-ins, and each is used once.
void StoredDataset::check_filters() {
  for (const Filter& filter : filters_) {
    if (filter.kind != Filter::kDeflate && filter.kind != Filter::kShuffle && filter.kind != Filter::kFletcher32)
      source().fail_object(name_, "needs HDF5 filter ", filter.kind, "; only deflate, shuffle and fletcher32 are read");
    if (std::ranges::count(filters_, filter.kind, &Filter::kind) > 1)
      source().fail_object(name_, "uses HDF5 filter ", filter.kind, " twice, which is not read");
    deflated_ = deflated_ || filter.kind == Filter::kDeflate;
  }
}

void StoredDataset::find_chunks(const Layout& layout, const Dataspace& space, int64_t bytes) {
  const Source& from = source();
  if (layout.chunk.size() != shape_.size()) from.fail_object(name_, "has chunks of another rank than its shape");
  chunk_ = signed_shape(from, name_, layout.chunk);
  chunk_bytes_ = bytes_of(chunk_, type_.bytes);
  if (chunk_bytes_ <= 0) from.fail_object(name_, "has chunks of a size that no file holds");
  if (bytes == 0) return;
  places_ = read_chunk_index(from, layout, space, static_cast<uint64_t>(chunk_bytes_), !filters_.empty());
  uint64_t stored = 0;
  for (const ChunkPlace& place : places_) {
    if (place.address == kNoAddress) continue;
    from.check(place.address, place.bytes, concat("chunk of ", name_));
    stored += place.bytes;
  }
  if (stored > from.size())
    from.fail_object(name_, "claims ", stored, " bytes of a file of ", from.size(), "; is it damaged?");
  const uint64_t most = most_bytes_from(stored, deflated_);
  if (places_.empty() || static_cast<uint64_t>(bytes) > most) fail_size(stored, bytes);
  if (static_cast<uint64_t>(chunk_bytes_) > most)
    from.fail_object(name_, "has chunks larger than its data; is it damaged?");
  if (std::ranges::find(places_, kNoAddress, &ChunkPlace::address) != places_.end())
    from.fail_object(name_, "has a part that was never written");
  check_plain();
}

Type StoredDataset::number_type() const {
  if (!type_.type)
    source().fail_object(
        name_, "has an element type that is not read here; needs uint8, int8, int32, int64 or float32, little endian");
  return *type_.type;
}

}  // namespace vit::h5
