#include "vit/io/hdf5.h"

#include <algorithm>
#include <cstring>

#include "vit/io/hdf5_library.h"
#include "vit/io/hdf5_stored.h"

namespace vit::h5 {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

/// Chunks of at most 1 MiB: whole along the last dimensions, the first one that is too long cut into equal pieces, as
/// the last of them is stored whole.
std::vector<hsize_t> chunk_shape(const std::vector<int64_t>& shape, std::size_t element_bytes) {
  std::vector<hsize_t> chunk(shape.size(), 1);
  int64_t room = kChunkBytes / static_cast<int64_t>(element_bytes);
  for (std::size_t d = shape.size(); d-- > 0;) {
    const int64_t most = std::clamp<int64_t>(room, 1, shape[d]);
    const int64_t pieces = (shape[d] + most - 1) / most;
    chunk[d] = static_cast<hsize_t>((shape[d] + pieces - 1) / pieces);
    room = most < shape[d] ? 1 : room / most;
  }
  return chunk;
}

/// Without times, so that the same content gives the same bytes.
Handle dataset_creation_list(const std::vector<hsize_t>& chunk) {
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (!list || H5Pset_obj_track_times(list.get(), false) < 0) return {};
  if (chunk.empty()) return list;
  const bool done =
      H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data()) >= 0 && H5Pset_fletcher32(list.get()) >= 0;
  return done ? std::move(list) : Handle();
}

std::vector<hsize_t> joined(hsize_t first, const std::vector<hsize_t>& rest) {
  std::vector<hsize_t> shape{first};
  shape.insert(shape.end(), rest.begin(), rest.end());
  return shape;
}

template <class T>
void write_typed(OpenFile& file, const std::string& name, const std::vector<int64_t>& shape, std::span<const T> data) {
  int64_t count = shape.empty() ? 0 : 1;
  for (int64_t n : shape) count *= n;
  if (shape.empty() || count != static_cast<int64_t>(data.size()))
    fail(ErrorKind::internal, "[hdf5] ", name, ": shape of rank ", shape.size(), " and ", count, " elements, data has ",
         data.size());
  const hid_t type = library_type(type_of<T>());
  write_dataset(file, name, shape, type, data.data());
}

}  // namespace

const char* type_name(Type type) {
  switch (type) {
    case Type::u8:
      return "uint8";
    case Type::i8:
      return "int8";
    case Type::i32:
      return "int32";
    case Type::i64:
      return "int64";
    case Type::f32:
      return "float32";
  }
  return "?";
}

hid_t library_type(Type type) {
  switch (type) {
    case Type::u8:
      return H5T_STD_U8LE;
    case Type::i8:
      return H5T_STD_I8LE;
    case Type::i32:
      return H5T_STD_I32LE;
    case Type::i64:
      return H5T_STD_I64LE;
    case Type::f32:
      return H5T_IEEE_F32LE;
  }
  return H5I_INVALID_HID;
}

OpenFile::~OpenFile() {
  if (!file) return;
  const LibraryLock lock;
  growing.clear();
  file.reset();
}

void make_parents(const OpenFile& file, const std::string& name) {
  check_name(name);
  const Handle list(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  if (!list || H5Pset_obj_track_times(list.get(), false) < 0) file.fail_call(ErrorKind::internal, "prepare", name);
  for (std::size_t end = name.find('/', 1); end != std::string::npos; end = name.find('/', end + 1)) {
    const std::string group = name.substr(0, end);
    if (object_exists(file, group)) continue;
    const Handle made(H5Gcreate2(file.file.get(), group.c_str(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Gclose);
    if (!made) file.fail_call(ErrorKind::io, "create group", group);
  }
}

void write_dataset(OpenFile& file, const std::string& name, const std::vector<int64_t>& shape, hid_t type,
                   const void* data) {
  file.check_writes();
  make_parents(file, name);
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  const Handle list = dataset_creation_list(empty ? std::vector<hsize_t>() : chunk_shape(shape, H5Tget_size(type)));
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
  if (!list || !space) file.fail_call(ErrorKind::internal, "prepare", name);
  Handle dataset(H5Dcreate2(file.file.get(), name.c_str(), type, space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT),
                 H5Dclose);
  if (!dataset) file.fail_call(ErrorKind::io, "create", name);
  if (!empty && H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    file.fail_call(ErrorKind::io, "write", name);
  if (!dataset.reset()) file.fail_call(ErrorKind::io, "write", name);
  file.check_writes();
}

File::File(std::shared_ptr<OpenFile> written) : written_(std::move(written)) {}
File::File(std::shared_ptr<const StoredFile> read) : read_(std::move(read)) {}
File::~File() = default;
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;

OpenFile& File::writer(const std::string& name) const {
  if (!written_)
    fail(ErrorKind::usage, "[hdf5] cannot write ", name, ": ", path().string(), " is not open for writing");
  return *written_;
}

const StoredFile& File::reader(const std::string& name) const {
  if (!read_) fail(ErrorKind::usage, "[hdf5] cannot read ", name, ": ", path().string(), " is not open for reading");
  return *read_;
}

File File::create(const std::filesystem::path& path) {
  auto created = std::make_shared<OpenFile>(path);
  const LibraryLock lock;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  const bool ready = access && creation && use_device(access.get(), created->device) >= 0 &&
                     H5Pset_libver_bounds(access.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) >= 0 &&
                     H5Pset_obj_track_times(creation.get(), false) >= 0;
  if (!ready) created->fail_call(ErrorKind::internal, "create", "");
  created->file = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
  if (!created->file) created->fail_call(ErrorKind::io, "create", "");
  return File(std::move(created));
}

void File::close() {
  read_.reset();
  const std::shared_ptr<OpenFile> file = std::move(written_);
  if (!file) return;
  bool closed = true;
  {
    const LibraryLock lock;
    for (auto& [name, growing] : file->growing) closed = growing.dataset.reset() && closed;
    if (!(closed = file->file.reset() && closed) && file->device.write_error() == 0)
      file->fail_call(ErrorKind::io, "close", "");
  }
  file->device.close();
  file->check_writes();
}

const std::filesystem::path& File::path() const {
  static const std::filesystem::path closed;
  return read_ ? read_->source().path() : written_ ? written_->path : closed;
}

void File::write(const std::string& name, const std::vector<int64_t>& shape, std::span<const uint8_t> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_typed(file, name, shape, data);
}
void File::write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int8_t> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_typed(file, name, shape, data);
}
void File::write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int32_t> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_typed(file, name, shape, data);
}
void File::write(const std::string& name, const std::vector<int64_t>& shape, std::span<const int64_t> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_typed(file, name, shape, data);
}
void File::write(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_typed(file, name, shape, data);
}

void File::create_growing(const std::string& name, const std::vector<int64_t>& rest, int64_t rows_per_chunk) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  file.check_writes();
  GrowingDataset growing;
  growing.row_shape.assign(rest.begin(), rest.end());
  const std::vector<hsize_t> empty = joined(0, growing.row_shape);
  const std::vector<hsize_t> limit = joined(H5S_UNLIMITED, growing.row_shape);
  const std::vector<hsize_t> chunk = joined(static_cast<hsize_t>(rows_per_chunk), growing.row_shape);
  std::size_t chunk_bytes = 1;
  for (hsize_t n : chunk) chunk_bytes *= n;
  if (rows_per_chunk < 1 || chunk_bytes == 0)
    fail(ErrorKind::internal, "[hdf5] ", name, " needs rows and chunks with bytes");

  make_parents(file, name);
  const Handle list = dataset_creation_list(chunk);
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  const Handle space(H5Screate_simple(static_cast<int>(chunk.size()), empty.data(), limit.data()), H5Sclose);
  // The chunk that is being filled stays in memory.
  if (!list || !access || !space || H5Pset_chunk_cache(access.get(), 11, 2 * chunk_bytes, 1.0) < 0)
    file.fail_call(ErrorKind::internal, "prepare", name);
  growing.dataset = Handle(
      H5Dcreate2(file.file.get(), name.c_str(), H5T_STD_U8LE, space.get(), H5P_DEFAULT, list.get(), access.get()),
      H5Dclose);
  if (!growing.dataset) file.fail_call(ErrorKind::io, "create", name);
  file.growing.insert_or_assign(name, std::move(growing));
  file.check_writes();
}

void File::append_rows(const std::string& name, int64_t count, std::span<const uint8_t> data) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  file.check_writes();
  const auto found = file.growing.find(name);
  if (found == file.growing.end()) fail(ErrorKind::internal, "[hdf5] ", name, " was not made to grow");
  GrowingDataset& growing = found->second;
  const std::vector<hsize_t> size = joined(static_cast<hsize_t>(count), growing.row_shape);
  hsize_t bytes = 1;
  for (hsize_t n : size) bytes *= n;
  if (count < 0 || bytes != data.size())
    fail(ErrorKind::internal, "[hdf5] ", name, ": ", count, " rows are ", bytes, " bytes, ", data.size(),
         " were given");
  if (count == 0) return;
  const std::vector<hsize_t> start = joined(growing.rows, std::vector<hsize_t>(growing.row_shape.size(), 0));
  growing.rows += static_cast<hsize_t>(count);
  const hid_t dataset = growing.dataset.get();
  if (H5Dset_extent(dataset, joined(growing.rows, growing.row_shape).data()) < 0)
    file.fail_call(ErrorKind::io, "extend", name);
  const Handle target(H5Dget_space(dataset), H5Sclose);
  const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
  if (!target || !memory ||
      H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
      H5Dwrite(dataset, H5T_STD_U8LE, memory.get(), target.get(), H5P_DEFAULT, data.data()) < 0)
    file.fail_call(ErrorKind::io, "append to", name);
  file.check_writes();
}

}  // namespace vit::h5
