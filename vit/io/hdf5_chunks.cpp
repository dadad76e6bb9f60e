// Chunks as this program stores them, found once and then read beside the library.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "vit/io/checksum.h"
#include "vit/io/hdf5_library.h"

namespace vit::h5 {
namespace {

constexpr int64_t kChecksumBytes = 4;  // after the data of a chunk, little endian

/// Rows a chunk when the stored chunks are whole rows with their Fletcher32 sum and nothing else; or 0.
int64_t plain_chunk_rows(const OpenedDataset& dataset) {
  const hid_t creation = dataset.creation.get();
  if (H5Pget_layout(creation) != H5D_CHUNKED || H5Pget_nfilters(creation) != 1) return 0;
  unsigned flags = 0;
  std::size_t values = 0;
  if (H5Pget_filter2(creation, 0, &flags, &values, nullptr, 0, nullptr, nullptr) != H5Z_FILTER_FLETCHER32) return 0;
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = static_cast<int>(dataset.shape.size());
  if (H5Pget_chunk(creation, rank, chunk.data()) != rank) return 0;
  for (std::size_t d = 1; d < dataset.shape.size(); ++d)
    if (static_cast<int64_t>(chunk[d]) != dataset.shape[d]) return 0;
  return static_cast<int64_t>(chunk[0]);
}

/// False when a chunk is not there as a whole, or stored without its sum.
bool find_places(OpenFile& file, const std::string& name, hid_t dataset, StoredChunks& chunks) {
  const int64_t whole = chunks.chunk_bytes() + kChecksumBytes;
  const auto room = std::make_unique_for_overwrite<uint8_t[]>(static_cast<std::size_t>(whole));
  std::array<hsize_t, H5S_MAX_RANK> corner{};
  for (int64_t row = 0; row < chunks.rows; row += chunks.rows_per_chunk) {
    corner[0] = static_cast<hsize_t>(row);
    hsize_t stored = 0;
    if (H5Dget_chunk_storage_size(dataset, corner.data(), &stored) < 0)
      file.fail_call(ErrorKind::data, "find the chunks of", name);
    if (stored != static_cast<hsize_t>(whole)) return false;
    Device::Place place;
    uint32_t skipped_filters = 0;
    file.device.note_reads(&place);
    const herr_t read = H5Dread_chunk(dataset, H5P_DEFAULT, corner.data(), &skipped_filters, room.get());
    file.device.note_reads(nullptr);
    if (read < 0) file.fail_call(ErrorKind::data, "find the chunks of", name);
    if (skipped_filters != 0 || place.bytes != whole) return false;
    if (place.offset > file.device.size() - whole) file.fail_object(name, "has a chunk beyond the end; is it cut off?");
    chunks.places.push_back(place.offset);
  }
  return true;
}

}  // namespace

StoredChunks find_chunks(OpenFile& file, const std::string& name, const OpenedDataset& dataset) {
  StoredChunks chunks;
  chunks.rows = dataset.shape.empty() ? 0 : dataset.shape[0];
  if (chunks.rows == 0) return chunks;
  chunks.row_bytes = dataset.count / chunks.rows * static_cast<int64_t>(H5Tget_size(dataset.type.get()));
  if (chunks.row_bytes > 0) chunks.rows_per_chunk = plain_chunk_rows(dataset);
  if (chunks.rows_per_chunk == 0 || !find_places(file, name, dataset.dataset.get(), chunks)) chunks.places.clear();
  return chunks;
}

void read_stored(const OpenFile& file, const std::string& name, int64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(file.device.descriptor(), out.data(), out.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ErrorKind::io, "[hdf5] cannot read ", name, " in ", file.path.string(), ": ", std::strerror(errno));
    if (got == 0) file.fail_object(name, "ends early; was it cut while in use?");
    out = out.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
}

void read_verified(const OpenFile& file, const std::string& name, const StoredChunks& chunks, int64_t index,
                   int64_t first_row, std::span<uint8_t> out) {
  const auto whole = static_cast<std::size_t>(chunks.chunk_bytes());
  const int64_t place = chunks.places[static_cast<std::size_t>(index)];
  std::unique_ptr<uint8_t[]> room;
  std::span<uint8_t> chunk = out;
  if (out.size() < whole) {
    room = std::make_unique_for_overwrite<uint8_t[]>(whole);
    chunk = {room.get(), whole};
  }
  read_stored(file, name, place, chunk);
  std::array<uint8_t, kChecksumBytes> stored;
  read_stored(file, name, place + chunks.chunk_bytes(), stored);
  uint32_t sum = 0;
  std::memcpy(&sum, stored.data(), sizeof sum);
  if (fletcher32(chunk) != sum)
    fail(ErrorKind::data, "[hdf5] ", name, " in ", file.path.string(), ": rows ", index * chunks.rows_per_chunk,
         " and up do not match their checksum; the file is damaged");
  if (room) std::memcpy(out.data(), room.get() + first_row * chunks.row_bytes, out.size());
}

}  // namespace vit::h5
