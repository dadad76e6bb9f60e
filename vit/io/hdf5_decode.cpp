// From stored bytes to rows.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "vit/io/checksum.h"
#include "vit/io/hdf5_stored.h"

namespace vit::h5 {
namespace {

constexpr std::size_t kSumBytes = 4;  // after the data of a chunk, little endian

uint32_t sum_at(const uint8_t* bytes) {
  uint32_t sum = 0;
  std::memcpy(&sum, bytes, sizeof sum);
  return sum;
}

/// False unless exactly `size` bytes come out of all bytes.
bool inflate_to(std::span<const uint8_t> bytes, std::size_t size, std::vector<uint8_t>& out) {
  out.resize(size);
  uLongf made = size;
  uLong used = bytes.size();
  return ::uncompress2(out.data(), &made, bytes.data(), &used) == Z_OK && made == size && used == bytes.size();
}

/// Byte b of element i stands at b * elements + i; a rest that is no element follows unchanged.
std::vector<uint8_t> unshuffle(std::span<const uint8_t> bytes, std::size_t element) {
  std::vector<uint8_t> out(bytes.begin(), bytes.end());
  const std::size_t elements = bytes.size() / element;
  if (elements == 0) return out;
  for (std::size_t b = 0; b < element; ++b)
    for (std::size_t i = 0; i < elements; ++i) out[i * element + b] = bytes[b * elements + i];
  return out;
}

}  // namespace

void StoredDataset::check_plain() {
  const bool sums_only = filters_.size() == 1 && filters_[0].kind == Filter::kFletcher32;
  if (!sums_only || !std::equal(chunk_.begin() + 1, chunk_.end(), shape_.begin() + 1)) return;
  for (const ChunkPlace& place : places_)
    if (place.skipped != 0 || place.bytes != static_cast<uint64_t>(chunk_bytes_) + kSumBytes) return;
  plain_rows_ = chunk_[0];
}

void StoredDataset::read_unverified(std::size_t chunk, int64_t first_row, std::span<uint8_t> out) const {
  source().read(places_[chunk].address + static_cast<uint64_t>(first_row * row_bytes()), out, "chunk");
}

void StoredDataset::read_verified(std::size_t chunk, int64_t first_row, std::span<uint8_t> out) const {
  const auto whole = static_cast<std::size_t>(chunk_bytes_);
  std::unique_ptr<uint8_t[]> room;
  std::span<uint8_t> bytes = out;
  if (out.size() < whole) {
    room = std::make_unique_for_overwrite<uint8_t[]>(whole);
    bytes = {room.get(), whole};
  }
  std::array<uint8_t, kSumBytes> stored;
  source().read(places_[chunk].address, bytes, "chunk");
  source().read(places_[chunk].address + whole, stored, "chunk");
  if (fletcher32(bytes) != sum_at(stored.data()))
    fail(ErrorKind::data, "[hdf5] ", name_, " in ", source().path().string(), ": rows ",
         static_cast<int64_t>(chunk) * plain_rows_, " and up do not match their checksum; the file is damaged");
  if (room) std::memcpy(out.data(), room.get() + first_row * row_bytes(), out.size());
}

std::vector<uint8_t> StoredDataset::decode(std::size_t chunk) const {
  const ChunkPlace& place = places_[chunk];
  std::vector<uint8_t> bytes(static_cast<std::size_t>(place.bytes));
  source().read(place.address, bytes, "chunk");
  for (std::size_t f = filters_.size(); f-- > 0;) {
    if ((place.skipped >> f & 1) != 0) continue;
    std::size_t before = static_cast<std::size_t>(chunk_bytes_);  // this filter was applied
    for (std::size_t earlier = 0; earlier < f; ++earlier)
      if (filters_[earlier].kind == Filter::kFletcher32 && (place.skipped >> earlier & 1) == 0) before += kSumBytes;
    if (filters_[f].kind == Filter::kFletcher32) {
      const std::size_t size = bytes.size() < kSumBytes ? 0 : bytes.size() - kSumBytes;
      if (bytes.size() < kSumBytes || fletcher32(std::span(bytes).first(size)) != sum_at(bytes.data() + size))
        source().fail_object(name_, "has a chunk that does not match its checksum; the file is damaged");
      bytes.resize(size);
    } else if (filters_[f].kind == Filter::kShuffle) {
      bytes = unshuffle(bytes, static_cast<std::size_t>(type_.bytes));
    } else {
      std::vector<uint8_t> inflated;
      if (!inflate_to(bytes, before, inflated))
        source().fail_object(name_, "has a chunk that deflate cannot read; the file is damaged");
      bytes = std::move(inflated);
    }
  }
  if (bytes.size() != static_cast<std::size_t>(chunk_bytes_))
    source().fail_object(name_, "has a chunk of ", bytes.size(), " bytes, needs ", chunk_bytes_);
  return bytes;
}

/// The part of a decoded chunk that lies in the rows goes to its places in `out`, run by run of the last dimension.
void StoredDataset::copy_chunk(std::span<const uint8_t> chunk, std::size_t index, int64_t begin, int64_t count,
                               std::span<uint8_t> out) const {
  const std::size_t rank = shape_.size();
  std::array<int64_t, kMostDimensions> corner{};
  std::array<int64_t, kMostDimensions> size{};
  auto rest = static_cast<int64_t>(index);
  for (std::size_t d = rank; d-- > 0;) {
    const int64_t along = (shape_[d] - 1) / chunk_[d] + 1;
    corner[d] = rest % along * chunk_[d];
    rest /= along;
    size[d] = std::min(chunk_[d], shape_[d] - corner[d]);
  }
  const int64_t first = std::max(begin, corner[0]) - corner[0];
  const int64_t last = std::min(begin + count, corner[0] + size[0]) - corner[0];
  const auto element = static_cast<std::size_t>(type_.bytes);
  std::array<int64_t, kMostDimensions> at{};
  at[0] = first;
  const auto run = static_cast<std::size_t>(rank == 1 ? last - first : size[rank - 1]) * element;
  while (at[0] < last) {
    std::size_t from = 0;
    std::size_t to = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      from = from * static_cast<std::size_t>(chunk_[d]) + static_cast<std::size_t>(at[d]);
      to =
          to * static_cast<std::size_t>(shape_[d]) + static_cast<std::size_t>(corner[d] + at[d] - (d == 0 ? begin : 0));
    }
    std::memcpy(out.data() + to * element, chunk.data() + from * element, run);
    if (rank == 1) break;
    std::size_t d = rank - 1;  // runs are whole along the last dimension
    while (d-- > 0) {
      if (++at[d] < size[d] || d == 0) break;
      at[d] = 0;
    }
  }
}

void StoredDataset::read_rows(int64_t begin, int64_t count, std::span<uint8_t> out) const {
  if (out.empty()) return;
  if (kind_ == Layout::Kind::compact) {
    std::memcpy(out.data(), compact_.data() + begin * row_bytes(), out.size());
    return;
  }
  if (kind_ == Layout::Kind::contiguous)
    return source().read(address_ + static_cast<uint64_t>(begin * row_bytes()), out, "data");
  const auto bands = static_cast<std::size_t>((rows() - 1) / chunk_[0] + 1);
  const std::size_t per_band = places_.size() / bands;
  const auto first = static_cast<std::size_t>(begin / chunk_[0]);
  const auto last = static_cast<std::size_t>((begin + count - 1) / chunk_[0]);
  for (std::size_t index = first * per_band; index < (last + 1) * per_band; ++index) {
    const int64_t start = static_cast<int64_t>(index) * plain_rows_;
    if (plain_rows_ > 0) {
      const int64_t from = std::max(begin, start);
      const int64_t to = std::min(begin + count, start + plain_rows_);
      read_verified(index, from - start,
                    out.subspan(static_cast<std::size_t>((from - begin) * row_bytes()),
                                static_cast<std::size_t>((to - from) * row_bytes())));
    } else {
      copy_chunk(decode(index), index, begin, count, out);
    }
  }
}

}  // namespace vit::h5
