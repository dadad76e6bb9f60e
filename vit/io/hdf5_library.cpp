#include "vit/io/hdf5_library.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace vit::h5 {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// The library (1.10) loses memory when a header is damaged, and complains of it on stderr when the program ends,
/// unless its printing of errors is off then. Handlers run last in, first out: ours has to come after its own.
void keep_exit_silent() {
  static const bool done [[maybe_unused]] = [] {
    H5open();
    return std::atexit([] { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }) == 0;
  }();
}

/// The first entry of the library's error stack, on one line.
std::string innermost_reason() {
  std::string reason;
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 1;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return reason.empty() ? "the HDF5 library gives no reason" : reason;
}

/// What can come out of `stored` bytes: deflate makes at most 1032 bytes of one.
int64_t most_bytes_from(int64_t stored, bool deflated) {
  constexpr int64_t kDeflateLimit = 1032;
  if (!deflated) return stored;
  return stored > std::numeric_limits<int64_t>::max() / kDeflateLimit ? std::numeric_limits<int64_t>::max()
                                                                      : stored * kDeflateLimit;
}

/// Refuses filters that are not part of every HDF5 library: those would be loaded from plug-ins.
bool check_filters(const OpenFile& file, const std::string& name, hid_t creation) {
  const int filters = H5Pget_nfilters(creation);
  if (filters < 0) file.fail_call(ErrorKind::data, "read the filters of", name);
  bool deflated = false;
  for (unsigned i = 0; i < static_cast<unsigned>(filters); ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(creation, i, &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      file.fail_object(name, "needs HDF5 filter ", filter, "; only deflate, shuffle and fletcher32 are read");
    deflated = deflated || filter == H5Z_FILTER_DEFLATE;
  }
  return deflated;
}

/// Bytes of `shape` elements, or -1 when that is more than any file holds.
int64_t bytes_of(const std::vector<int64_t>& shape, std::size_t element) {
  constexpr int64_t kMost = int64_t{1} << 56;
  auto bytes = static_cast<int64_t>(element);
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (int64_t n : shape) {
    if (n < 0 || bytes > kMost / n) return -1;
    bytes *= n;
  }
  return bytes;
}

void check_storage(const OpenFile& file, const std::string& name, OpenedDataset& dataset) {
  const hid_t creation = dataset.creation.get();
  const bool deflated = check_filters(file, name, creation);
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS && layout != H5D_COMPACT)
    file.fail_object(name, "has a storage layout that is not read here (virtual?)");
  if (H5Pget_external_count(creation) != 0) file.fail_object(name, "keeps its data in other files, which is not read");

  const std::size_t element = H5Tget_size(dataset.type.get());
  const int64_t bytes = element == 0 ? -1 : bytes_of(dataset.shape, element);
  if (bytes < 0) file.fail_object(name, "has a size that no file holds");
  dataset.count = bytes / static_cast<int64_t>(element);

  const hsize_t stored = H5Dget_storage_size(dataset.dataset.get());
  if (stored > static_cast<hsize_t>(file.device.size()))
    file.fail_object(name, "claims ", stored, " bytes of a file of ", file.device.size(), "; is it cut off?");
  dataset.stored_bytes = static_cast<int64_t>(stored);
  const int64_t most = most_bytes_from(dataset.stored_bytes, deflated);
  if (bytes > most)
    file.fail_object(name, "has a shape of ", bytes, " bytes, the file holds only ", stored, " for it; is it cut off?");

  if (layout != H5D_CHUNKED || bytes == 0) return;
  std::vector<hsize_t> chunk(dataset.shape.size());
  const int rank = static_cast<int>(chunk.size());
  if (H5Pget_chunk(creation, rank, chunk.data()) != rank)
    file.fail_call(ErrorKind::data, "read the chunk shape of", name);
  std::vector<int64_t> chunk_shape(chunk.begin(), chunk.end());
  const int64_t chunk_bytes = bytes_of(chunk_shape, element);
  if (chunk_bytes <= 0 || chunk_bytes > most) file.fail_object(name, "has chunks larger than its data; is it damaged?");
}

}  // namespace

LibraryLock::LibraryLock() : lock_(library_mutex()) {
  keep_exit_silent();
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

LibraryLock::~LibraryLock() { H5Eset_auto2(H5E_DEFAULT, print_, print_data_); }

void OpenFile::fail_call(ErrorKind kind, std::string_view what, std::string_view name) const {
  const std::string object = name.empty() ? path.string() : concat(name, " in ", path.string());
  fail(kind, "[hdf5] cannot ", what, " ", object, ": ", innermost_reason());
}

void OpenFile::check_writable(std::string_view name) const {
  if (!writable) fail(ErrorKind::usage, "[hdf5] cannot write ", name, ": ", path.string(), " is open for reading only");
  if (device.write_error() != 0)
    fail(ErrorKind::io, "[hdf5] cannot write ", path.string(), ": ", std::strerror(device.write_error()));
}

void check_name(const std::string& name) {
  if (name.empty() || name[0] != '/') fail(ErrorKind::internal, "[hdf5] '", name, "' is not an absolute path");
}

bool object_exists(const OpenFile& file, const std::string& name) {
  check_name(name);
  // The library fails for a path whose groups are not there, so it is asked level by level. Links that lead
  // elsewhere, even into other files, do not count.
  for (std::size_t end = 0; end != std::string::npos && end + 1 < name.size();) {
    end = name.find('/', end + 1);
    const std::string prefix = name.substr(0, end);
    const htri_t found = H5Lexists(file.file.get(), prefix.c_str(), H5P_DEFAULT);
    if (found < 0) file.fail_call(ErrorKind::data, "look up", prefix);
    if (found == 0) return false;
    H5L_info_t link;
    if (H5Lget_info(file.file.get(), prefix.c_str(), &link, H5P_DEFAULT) < 0)
      file.fail_call(ErrorKind::data, "look up", prefix);
    if (link.type != H5L_TYPE_HARD) return false;
  }
  return true;
}

Handle find_object(const OpenFile& file, const std::string& name) {
  if (!object_exists(file, name)) return {};
  Handle object(H5Oopen(file.file.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object) file.fail_call(ErrorKind::data, "open", name);
  return object;
}

Handle open_object(const OpenFile& file, const std::string& name) {
  Handle object = find_object(file, name);
  if (!object) file.fail_object(name, "is missing");
  return object;
}

OpenedDataset open_dataset(const OpenFile& file, const std::string& name, const Handle& access) {
  std::optional<OpenedDataset> opened = find_dataset(file, name, access);
  if (!opened) file.fail_object(name, "is missing");
  return *std::move(opened);
}

std::optional<OpenedDataset> find_dataset(const OpenFile& file, const std::string& name, const Handle& access) {
  OpenedDataset opened;
  opened.dataset = find_object(file, name);
  if (!opened.dataset) return std::nullopt;
  if (H5Iget_type(opened.dataset.get()) != H5I_DATASET) file.fail_object(name, "is not a dataset");
  if (access) opened.dataset = Handle(H5Dopen2(file.file.get(), name.c_str(), access.get()), H5Dclose);
  if (!opened.dataset) file.fail_call(ErrorKind::data, "open", name);
  const hid_t id = opened.dataset.get();
  opened.type = Handle(H5Dget_type(id), H5Tclose);
  opened.creation = Handle(H5Dget_create_plist(id), H5Pclose);
  const Handle space(H5Dget_space(id), H5Sclose);
  if (!opened.type || !opened.creation || !space) file.fail_call(ErrorKind::data, "read the header of", name);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > H5S_MAX_RANK || H5Sget_simple_extent_type(space.get()) == H5S_NULL)
    file.fail_object(name, "has no shape");
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr) != rank)
    file.fail_call(ErrorKind::data, "read the shape of", name);
  for (hsize_t n : dims) {
    if (n > static_cast<hsize_t>(std::numeric_limits<int64_t>::max()))
      file.fail_object(name, "has a size that no file holds");
    opened.shape.push_back(static_cast<int64_t>(n));
  }
  check_storage(file, name, opened);
  return opened;
}

}  // namespace vit::h5

// Builds with leak detection would report the memory that the library loses over a damaged header.
#ifdef __SANITIZE_ADDRESS__
extern "C" __attribute__((weak, visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}
#endif
