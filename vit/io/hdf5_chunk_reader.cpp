// Reads of many threads, beside the library.
#include <algorithm>
#include <atomic>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_library.h"

namespace vit::h5 {
struct ChunkReader::Impl {
  File file;
  std::string name;
  OpenedDataset dataset;  // of the locked reads
  int64_t rows = 0;
  int64_t row_bytes = 0;
  StoredChunks chunks;  // without places: all reads are locked ones
  std::unique_ptr<std::atomic<bool>[]> verified;

  explicit Impl(File opened) : file(std::move(opened)) {}
  ~Impl() {
    const LibraryLock lock;
    dataset = {};
  }

  void open();
  void read_from_chunk(int64_t index, int64_t begin, std::span<uint8_t> out) const;
};

void ChunkReader::Impl::open() {
  const LibraryLock lock;
  OpenFile& opened = *file.file_;
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  constexpr std::size_t kCacheBytes = std::size_t{16} << 20;
  if (!access || H5Pset_chunk_cache(access.get(), 521, kCacheBytes, 1.0) < 0)
    opened.fail_call(ErrorKind::internal, "prepare", name);
  dataset = open_dataset(opened, name, access);
  if (element_type(opened, name, dataset) != Type::u8) opened.fail_object(name, "needs elements of type uint8");
  if (dataset.shape.empty()) opened.fail_object(name, "has no rows");
  rows = dataset.shape[0];
  row_bytes = rows == 0 ? 0 : dataset.count / rows;
  chunks = find_chunks(opened, name, dataset);
  if (!chunks.places.empty()) verified = std::make_unique<std::atomic<bool>[]>(chunks.places.size());
}

/// A chunk is verified as a whole the first time; later reads take only the rows that they need.
void ChunkReader::Impl::read_from_chunk(int64_t index, int64_t begin, std::span<uint8_t> out) const {
  const auto i = static_cast<std::size_t>(index);
  if (verified[i].load(std::memory_order_relaxed))
    return read_stored(*file.file_, name, chunks.places[i] + begin * row_bytes, out);
  read_verified(*file.file_, name, chunks, index, begin, out);
  verified[i].store(true, std::memory_order_relaxed);
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
int64_t ChunkReader::rows_per_chunk() const { return impl_->chunks.places.empty() ? 0 : impl_->chunks.rows_per_chunk; }

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
  if (reader.chunks.places.empty()) {
    const LibraryLock lock;
    return read_dataset_rows(*reader.file.file_, reader.name, reader.dataset, begin, count, out);
  }
  for (int64_t row = begin; row < begin + count;) {
    const int64_t index = row / reader.chunks.rows_per_chunk;
    const int64_t first = row % reader.chunks.rows_per_chunk;
    const int64_t taken = std::min(reader.chunks.rows_per_chunk - first, begin + count - row);
    const auto bytes = static_cast<std::size_t>(taken * reader.row_bytes);
    reader.read_from_chunk(index, first, out.first(bytes));
    out = out.subspan(bytes);
    row += taken;
  }
}

}  // namespace vit::h5
