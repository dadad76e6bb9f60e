#include "vit/io/hdf5_library.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace vit::h5 {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// The library (1.10) complains on stderr, when the program ends, of what it could not close before, unless its
/// printing of errors is off then. Handlers run last in, first out: ours has to come after its own.
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

void OpenFile::check_writes() const {
  if (device.write_error() != 0)
    fail(ErrorKind::io, "[hdf5] cannot write ", path.string(), ": ", std::strerror(device.write_error()));
}

void check_name(const std::string& name) {
  if (name.empty() || name[0] != '/') fail(ErrorKind::internal, "[hdf5] '", name, "' is not an absolute path");
}

bool object_exists(const OpenFile& file, const std::string& name) {
  check_name(name);
  // The library fails for a path whose groups are not there, so it is asked level by level.
  for (std::size_t end = 0; end != std::string::npos && end + 1 < name.size();) {
    end = name.find('/', end + 1);
    const std::string prefix = name.substr(0, end);
    const htri_t found = H5Lexists(file.file.get(), prefix.c_str(), H5P_DEFAULT);
    if (found < 0) file.fail_call(ErrorKind::data, "look up", prefix);
    if (found == 0) return false;
  }
  return true;
}

Handle open_object(const OpenFile& file, const std::string& name) {
  Handle object(H5Oopen(file.file.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object) file.fail_call(ErrorKind::io, "open", name);
  return object;
}

}  // namespace vit::h5

// Builds with leak detection would report the memory that the library loses over a damaged header.
#ifdef __SANITIZE_ADDRESS__
extern "C" __attribute__((weak, visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}
#endif
