// Reads of many threads, beside the library.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "vit/io/checksum.h"
#include "vit/io/hdf5.h"
#include "vit/io/hdf5_library.h"

namespace vit::h5 {
namespace {

constexpr int64_t kChecksumBytes = 4;  // after the data of a chunk, little endian

/// Rows a chunk when the stored chunks are rows of bytes followed by their Fletcher32 sum and nothing else; or 0.
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

}  // namespace

struct ChunkReader::Impl {
  File file;
  std::string name;
  OpenedDataset dataset;  // of the locked reads
  int64_t rows = 0;
  int64_t row_bytes = 0;
  int64_t rows_per_chunk = 0;
  std::vector<int64_t> places;  // offset of each chunk in the file; empty: all reads are locked ones
  std::unique_ptr<std::atomic<bool>[]> verified;

  explicit Impl(File opened) : file(std::move(opened)) {}
  ~Impl() {
    const LibraryLock lock;
    dataset = {};
  }

  int64_t chunk_bytes() const { return rows_per_chunk * row_bytes; }
  void open();
  bool find_chunks();
  void read_bytes(int64_t offset, std::span<uint8_t> out) const;
  void verify_chunk(int64_t index, std::span<uint8_t> room) const;
  void read_from_chunk(int64_t index, int64_t begin, int64_t count, std::span<uint8_t> out) const;
};

void ChunkReader::Impl::open() {
  const LibraryLock lock;
  const OpenFile& opened = *file.file_;
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  constexpr std::size_t kCacheBytes = std::size_t{16} << 20;
  if (!access || H5Pset_chunk_cache(access.get(), 521, kCacheBytes, 1.0) < 0)
    opened.fail_call(ErrorKind::internal, "prepare", name);
  dataset = open_dataset(opened, name, access);
  if (element_type(opened, name, dataset) != Type::u8) opened.fail_object(name, "needs elements of type uint8");
  if (dataset.shape.empty()) opened.fail_object(name, "has no rows");
  rows = dataset.shape[0];
  row_bytes = rows == 0 ? 0 : dataset.count / rows;
  if (dataset.count > 0) rows_per_chunk = plain_chunk_rows(dataset);
  if (rows_per_chunk == 0 || !find_chunks()) places.clear();
  if (!places.empty()) verified = std::make_unique<std::atomic<bool>[]>(places.size());
}

/// False when a chunk is not there as a whole, or stored without its sum.
bool ChunkReader::Impl::find_chunks() {
  OpenFile& opened = *file.file_;
  const hid_t id = dataset.dataset.get();
  const int64_t whole = chunk_bytes() + kChecksumBytes;
  const auto room = std::make_unique_for_overwrite<uint8_t[]>(static_cast<std::size_t>(whole));
  std::array<hsize_t, H5S_MAX_RANK> corner{};
  places.clear();
  for (int64_t row = 0; row < rows; row += rows_per_chunk) {
    corner[0] = static_cast<hsize_t>(row);
    hsize_t stored = 0;
    if (H5Dget_chunk_storage_size(id, corner.data(), &stored) < 0)
      opened.fail_call(ErrorKind::data, "find the chunks of", name);
    if (stored != static_cast<hsize_t>(whole)) return false;
    Device::Place place;
    uint32_t skipped_filters = 0;
    opened.device.note_reads(&place);
    const herr_t read = H5Dread_chunk(id, H5P_DEFAULT, corner.data(), &skipped_filters, room.get());
    opened.device.note_reads(nullptr);
    if (read < 0) opened.fail_call(ErrorKind::data, "find the chunks of", name);
    if (skipped_filters != 0 || place.bytes != whole) return false;
    if (place.offset > opened.device.size() - whole)
      opened.fail_object(name, "has a chunk beyond the end; is it cut off?");
    places.push_back(place.offset);
  }
  return true;
}

void ChunkReader::Impl::read_bytes(int64_t offset, std::span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(file.file_->device.descriptor(), out.data(), out.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ErrorKind::io, "[hdf5] cannot read ", name, " in ", file.path().string(), ": ", std::strerror(errno));
    if (got == 0)
      fail(ErrorKind::data, "[hdf5] ", name, " in ", file.path().string(), " ends early; was it cut while in use?");
    out = out.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
}

/// Reads a whole chunk and its sum into `room`.
void ChunkReader::Impl::verify_chunk(int64_t index, std::span<uint8_t> room) const {
  const auto i = static_cast<std::size_t>(index);
  read_bytes(places[i], room);
  uint32_t stored = 0;
  std::memcpy(&stored, room.data() + chunk_bytes(), sizeof stored);
  if (fletcher32(room.first(static_cast<std::size_t>(chunk_bytes()))) != stored)
    fail(ErrorKind::data, "[hdf5] ", name, " in ", file.path().string(), ": rows ", index * rows_per_chunk,
         " and up do not match their checksum; the file is damaged");
  verified[i].store(true, std::memory_order_relaxed);
}

/// A chunk is verified as a whole the first time; later reads take only the rows that they need.
void ChunkReader::Impl::read_from_chunk(int64_t index, int64_t begin, int64_t count, std::span<uint8_t> out) const {
  const auto i = static_cast<std::size_t>(index);
  if (verified[i].load(std::memory_order_relaxed)) return read_bytes(places[i] + begin * row_bytes, out);
  const auto bytes = static_cast<std::size_t>(chunk_bytes() + kChecksumBytes);
  const auto room = std::make_unique_for_overwrite<uint8_t[]>(bytes);
  verify_chunk(index, {room.get(), bytes});
  std::memcpy(out.data(), room.get() + begin * row_bytes, static_cast<std::size_t>(count * row_bytes));
}

ChunkReader::ChunkReader(const std::filesystem::path& path, const std::string& name)
    : impl_(std::make_unique<Impl>(File::open(path))) {
  impl_->name = name;
  impl_->open();
}

ChunkReader::~ChunkReader() = default;
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;

int64_t ChunkReader::rows() const { return impl_->rows; }
int64_t ChunkReader::row_bytes() const { return impl_->row_bytes; }
int64_t ChunkReader::rows_per_chunk() const { return impl_->places.empty() ? 0 : impl_->rows_per_chunk; }

void ChunkReader::read_row(int64_t row, std::span<uint8_t> out) const { read_rows(row, 1, out); }

void ChunkReader::read_rows(int64_t begin, int64_t count, std::span<uint8_t> out) const {
  const Impl& reader = *impl_;
  if (begin < 0 || count < 0 || begin > reader.rows - count)
    reader.file.file_->fail_object(reader.name, "has ", reader.rows, " rows, rows ", begin, " to ", begin + count,
                                   " are asked for");
  if (static_cast<int64_t>(out.size()) != count * reader.row_bytes)
    reader.file.file_->fail_object(reader.name, "needs room for ", count * reader.row_bytes, " bytes, has ",
                                   out.size());
  if (out.empty()) return;
  if (reader.places.empty()) {
    const LibraryLock lock;
    return read_dataset_rows(*reader.file.file_, reader.name, reader.dataset, begin, count, out);
  }
  for (int64_t row = begin; row < begin + count;) {
    const int64_t index = row / reader.rows_per_chunk;
    const int64_t first = row % reader.rows_per_chunk;
    const int64_t taken = std::min(reader.rows_per_chunk - first, begin + count - row);
    const auto bytes = static_cast<std::size_t>(taken * reader.row_bytes);
    reader.read_from_chunk(index, first, taken, out.first(bytes));
    out = out.subspan(bytes);
    row += taken;
  }
}

}  // namespace vit::h5
