#include <optional>

#include "preprocess/codec/inspect.h"

namespace vit::codec {
namespace {

constexpr int64_t kWidth = 256, kHeight = 257, kBits = 258, kPhotometric = 262, kStripOffsets = 273, kStripBytes = 279,
                  kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324, kTileBytes = 325, kExtraSamples = 338;
constexpr int64_t kMaxTilePixels = int64_t{1} << 24;

/// One field of the directory: `count` numbers of 1, 2 or 4 bytes.
struct Field {
  int64_t tag = 0, item_size = 0, count = 0, data_at = 0;
};

/// The first directory of a classic TIFF, in either byte order.
class Directory {
 public:
  explicit Directory(const ByteView& file) : file_(file), little_(file.u8(0) == 'I') {
    constexpr int64_t kEntry = 12;
    const int64_t at = u32(4);
    for (int64_t i = 0, n = u16(at); i < n; ++i) {
      const int64_t entry = at + 2 + i * kEntry;
      const int64_t type = u16(entry + 2);
      const int64_t item_size = type == 3 ? 2 : type == 4 ? 4 : 1;  // SHORT, LONG; others are not read below
      const int64_t count = u32(entry + 4);
      const bool is_inline = item_size * count <= 4;
      fields_.push_back({u16(entry), item_size, count, is_inline ? entry + 8 : u32(entry + 8)});
    }
  }

  const Field* find(int64_t tag) const {
    for (const Field& field : fields_) {
      if (field.tag == tag) return &field;
    }
    return nullptr;
  }
  int64_t value(const Field& field, int64_t i) const {
    if (i >= field.count)
      file_.reject("field ", field.tag, " has ", field.count, " numbers, needs more; the file is damaged");
    const int64_t at = field.data_at + i * field.item_size;
    return field.item_size == 1 ? file_.u8(at) : field.item_size == 2 ? u16(at) : u32(at);
  }
  int64_t required(int64_t tag) const {
    const Field* field = find(tag);
    if (field == nullptr) file_.reject("field ", tag, " is missing; the file is damaged");
    return value(*field, 0);
  }

 private:
  int64_t u16(int64_t at) const { return little_ ? file_.u16_le(at) : file_.u16_be(at); }
  int64_t u32(int64_t at) const { return little_ ? file_.u32_le(at) : file_.u32_be(at); }

  const ByteView& file_;
  bool little_;
  std::vector<Field> fields_;
};

/// True when the tag exists; every piece of the picture must lie inside the file.
bool check_pieces(const ByteView& file, const Directory& directory, int64_t offsets_tag, int64_t bytes_tag) {
  const Field* offsets = directory.find(offsets_tag);
  const Field* bytes = directory.find(bytes_tag);
  if (offsets == nullptr || bytes == nullptr) return false;
  file.require(offsets->data_at, offsets->count * offsets->item_size);
  for (int64_t i = 0; i < offsets->count; ++i) file.require(directory.value(*offsets, i), directory.value(*bytes, i));
  return true;
}

}  // namespace

FileInfo inspect_tiff(const ByteView& file, const DecodeLimits& limits) {
  const Directory directory(file);
  FileInfo info;
  info.width = directory.required(kWidth);
  info.height = directory.required(kHeight);
  check_size(file, info, limits);
  directory.required(kPhotometric);
  if (const Field* bits = directory.find(kBits)) {
    for (int64_t i = 0; i < std::min<int64_t>(bits->count, 4); ++i) {
      const int64_t n = directory.value(*bits, i);
      if (n != 1 && n != 2 && n != 4 && n != 8 && n != 16) file.reject("needs samples of at most 16 bits, has ", n);
    }
  }
  if (directory.find(kTileWidth) != nullptr &&
      (directory.required(kTileWidth) > kMaxTilePixels ||
       directory.required(kTileWidth) * directory.required(kTileHeight) > kMaxTilePixels)) {
    file.reject("tiles of more than ", kMaxTilePixels, " pixels");
  }
  if (!check_pieces(file, directory, kStripOffsets, kStripBytes) &&
      !check_pieces(file, directory, kTileOffsets, kTileBytes)) {
    file.reject("no picture data; the file is damaged");
  }
  // Alpha of kind 2 would make the decoder darken transparent pixels; kind 1 leaves the colours as they are stored.
  const Field* extra = directory.find(kExtraSamples);
  if (extra != nullptr && extra->count == 1 && extra->item_size == 2 && directory.value(*extra, 0) == 2) {
    info.rewritten.assign(file.data(), file.data() + file.size());
    const bool little = file.u8(0) == 'I';
    info.rewritten[static_cast<size_t>(extra->data_at + (little ? 0 : 1))] = 1;
  }
  return info;
}

}  // namespace vit::codec
