// Opening files to read, and datasets read as a whole.
#include <utility>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_stored.h"
#include "vit/io/hdf5_type.h"

namespace vit::h5 {
struct Dataset::Impl {
  StoredDataset stored;
  DatasetInfo info;

  explicit Impl(StoredDataset dataset) : stored(std::move(dataset)), info{stored.number_type(), stored.shape()} {}
};

namespace {

template <class T>
void read_all(const StoredDataset& from, std::span<T> out) {
  const Type type = from.number_type();
  if (type != type_of<T>())
    from.source().fail_object(from.name(), "needs elements of type ", type_name(type_of<T>()), ", has ",
                              type_name(type));
  if (from.count() != static_cast<int64_t>(out.size()))
    from.source().fail_object(from.name(), "needs ", out.size(), " elements, has ", from.count());
  from.read_rows(0, from.rows(), {reinterpret_cast<uint8_t*>(out.data()), out.size_bytes()});
}

}  // namespace

File File::open(const std::filesystem::path& path) { return File(std::make_shared<const StoredFile>(path)); }

bool File::exists(const std::string& name) const { return reader(name).exists(name); }

std::vector<std::string> File::children(const std::string& group) const { return reader(group).children(group); }

Dataset::Dataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataset::~Dataset() = default;
Dataset::Dataset(Dataset&&) noexcept = default;

std::optional<Dataset> File::find(const std::string& name) const {
  const std::optional<Object> object = reader(name).find(name);
  if (!object) return std::nullopt;
  return Dataset(std::make_unique<Dataset::Impl>(StoredDataset(read_, name, *object)));
}

Dataset File::dataset(const std::string& name) const {
  std::optional<Dataset> found = find(name);
  if (!found) reader(name).source().fail_object(name, "is missing");
  return *std::move(found);
}

const DatasetInfo& Dataset::info() const { return impl_->info; }
void Dataset::read(std::span<uint8_t> out) const { read_all(impl_->stored, out); }
void Dataset::read(std::span<int8_t> out) const { read_all(impl_->stored, out); }
void Dataset::read(std::span<int32_t> out) const { read_all(impl_->stored, out); }
void Dataset::read(std::span<int64_t> out) const { read_all(impl_->stored, out); }
void Dataset::read(std::span<float> out) const { read_all(impl_->stored, out); }

DatasetInfo File::info(const std::string& name) const { return dataset(name).info(); }
void File::read(const std::string& name, std::span<uint8_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int8_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int32_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<int64_t> out) const { dataset(name).read(out); }
void File::read(const std::string& name, std::span<float> out) const { dataset(name).read(out); }

void File::read_rows(const std::string& name, int64_t begin, int64_t count, std::span<uint8_t> out) const {
  ChunkReader(*this, name).read_rows(begin, count, out);
}

}  // namespace vit::h5
