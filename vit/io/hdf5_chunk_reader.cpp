// Rows for many threads.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_stored.h"

namespace vit::h5 {
struct ChunkReader::Impl {
  StoredDataset dataset;
  std::unique_ptr<std::atomic<bool>[]> verified;  // of each plain chunk

  explicit Impl(StoredDataset stored) : dataset(std::move(stored)) {
    if (dataset.number_type() != Type::u8) fail_object("needs elements of type uint8");
    if (dataset.shape().empty()) fail_object("has no rows");
    if (dataset.plain_rows() > 0) verified = std::make_unique<std::atomic<bool>[]>(dataset.chunks());
  }

  template <class... Parts>
  [[noreturn]] void fail_object(const Parts&... fault) const {
    dataset.source().fail_object(dataset.name(), fault...);
  }
  void read_from_chunk(int64_t index, int64_t begin, std::span<uint8_t> out) const;
  void read_from_band(int64_t index, int64_t begin, std::span<uint8_t> out);

 private:
  std::mutex mutex_;
  int64_t band_ = -1;  // the one that was decoded last
  std::vector<uint8_t> rows_;
};

/// A chunk is verified as a whole the first time; later reads take only the rows that they need.
void ChunkReader::Impl::read_from_chunk(int64_t index, int64_t begin, std::span<uint8_t> out) const {
  const auto i = static_cast<std::size_t>(index);
  if (verified[i].load(std::memory_order_relaxed)) return dataset.read_unverified(i, begin, out);
  dataset.read_verified(i, begin, out);
  verified[i].store(true, std::memory_order_relaxed);
}

/// Rows that are decoded together are kept until others are asked for.
void ChunkReader::Impl::read_from_band(int64_t index, int64_t begin, std::span<uint8_t> out) {
  const std::lock_guard lock(mutex_);
  if (band_ != index) {
    const int64_t first = index * dataset.band_rows();
    const int64_t count = std::min(dataset.band_rows(), dataset.rows() - first);
    band_ = -1;
    rows_.resize(static_cast<std::size_t>(count * dataset.row_bytes()));
    dataset.read_rows(first, count, rows_);
    band_ = index;
  }
  std::memcpy(out.data(), rows_.data() + begin * dataset.row_bytes(), out.size());
}

namespace {
StoredDataset open_stored(std::shared_ptr<const StoredFile> file, const std::string& name) {
  const Object object = file->open(name);
  return StoredDataset(std::move(file), name, object);
}
}  // namespace

ChunkReader::ChunkReader(const std::filesystem::path& path, const std::string& name)
    : ChunkReader(File::open(path), name) {}

ChunkReader::ChunkReader(const File& file, const std::string& name)
    : impl_(std::make_unique<Impl>(open_stored((file.reader(name), file.read_), name))) {}

ChunkReader::~ChunkReader() = default;
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;

int64_t ChunkReader::rows() const { return impl_->dataset.rows(); }
int64_t ChunkReader::row_bytes() const { return impl_->dataset.row_bytes(); }
int64_t ChunkReader::rows_per_chunk() const { return impl_->dataset.plain_rows(); }

void ChunkReader::read_row(int64_t row, std::span<uint8_t> out) const { read_rows(row, 1, out); }

void ChunkReader::read_rows(int64_t begin, int64_t count, std::span<uint8_t> out) const {
  Impl& reader = *impl_;
  if (begin < 0 || count < 0 || begin > rows() - count)
    reader.fail_object("has ", rows(), " rows, rows ", begin, " to ", begin + count, " are asked for");
  if (static_cast<int64_t>(out.size()) != count * row_bytes())
    reader.fail_object("needs room for ", count * row_bytes(), " bytes, has ", out.size());
  if (out.empty()) return;
  const int64_t together = reader.dataset.band_rows();
  for (int64_t row = begin; row < begin + count;) {
    const int64_t index = row / together;
    const int64_t first = row % together;
    const int64_t taken = std::min(together - first, begin + count - row);
    const auto bytes = static_cast<std::size_t>(taken * row_bytes());
    if (reader.verified)
      reader.read_from_chunk(index, first, out.first(bytes));
    else if (together == 1)
      reader.dataset.read_rows(row, taken, out.first(bytes));
    else
      reader.read_from_band(index, first, out.first(bytes));
    out = out.subspan(bytes);
    row += taken;
  }
}

}  // namespace vit::h5
