// Datasets read as a whole.
#include <algorithm>
#include <utility>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_library.h"

namespace vit::h5 {
struct Dataset::Impl {
  std::shared_ptr<OpenFile> file;
  std::string name;
  DatasetInfo info;
  int64_t count = 0;  // of elements
  StoredChunks chunks;
  OpenedDataset opened;  // where there are no chunks to read beside the library

  ~Impl() {
    const LibraryLock lock;
    opened = {};
  }
};

namespace {

template <class T>
void read_all(const Dataset::Impl& from, std::span<T> out) {
  const OpenFile& file = *from.file;
  if (from.info.type != type_of<T>())
    file.fail_object(from.name, "needs elements of type ", type_name(type_of<T>()), ", has ",
                     type_name(from.info.type));
  if (from.count != static_cast<int64_t>(out.size()))
    file.fail_object(from.name, "needs ", out.size(), " elements, has ", from.count);
  if (out.empty()) return;
  if (from.chunks.places.empty()) {
    const LibraryLock lock;
    if (H5Dread(from.opened.dataset.get(), library_type(from.info.type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)
      file.fail_call(ErrorKind::data, "read", from.name);
    return;
  }
  std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(out.data()), out.size_bytes());
  for (int64_t index = 0; !bytes.empty(); ++index) {
    const auto chunk = bytes.first(std::min(bytes.size(), static_cast<std::size_t>(from.chunks.chunk_bytes())));
    read_verified(file, from.name, from.chunks, index, 0, chunk);
    bytes = bytes.subspan(chunk.size());
  }
}

}  // namespace

Dataset::Dataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataset::~Dataset() = default;
Dataset::Dataset(Dataset&&) noexcept = default;

Dataset File::dataset(const std::string& name) const {
  std::optional<Dataset> found = find(name);
  if (!found) file_->fail_object(name, "is missing");
  return *std::move(found);
}

std::optional<Dataset> File::find(const std::string& name) const {
  auto found = std::make_unique<Dataset::Impl>();
  const LibraryLock lock;
  std::optional<OpenedDataset> opened = find_dataset(*file_, name);
  if (!opened) return std::nullopt;
  found->file = file_;
  found->name = name;
  found->info = {element_type(*file_, name, *opened), opened->shape};
  found->count = opened->count;
  // What was written a moment ago may not be in the file yet.
  if (!file_->writable) found->chunks = find_chunks(*file_, name, *opened);
  if (found->chunks.places.empty()) found->opened = *std::move(opened);
  return Dataset(std::move(found));
}

const DatasetInfo& Dataset::info() const { return impl_->info; }
void Dataset::read(std::span<uint8_t> out) const { read_all(*impl_, out); }
void Dataset::read(std::span<int8_t> out) const { read_all(*impl_, out); }
void Dataset::read(std::span<int32_t> out) const { read_all(*impl_, out); }
void Dataset::read(std::span<int64_t> out) const { read_all(*impl_, out); }
void Dataset::read(std::span<float> out) const { read_all(*impl_, out); }

DatasetInfo File::info(const std::string& name) const {
  const LibraryLock lock;
  OpenedDataset opened = open_dataset(*file_, name);
  return {element_type(*file_, name, opened), std::move(opened.shape)};
}
void File::read(const std::string& name, std::span<uint8_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int8_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int32_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int64_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<float> out) const { dataset(name).read(out); }

}  // namespace vit::h5
