// Strings of fixed length: those of variable length lie in a heap without checksums.
#include <algorithm>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_library.h"

namespace vit::h5 {
namespace {

Handle text_type(std::size_t bytes) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const bool done = type && H5Tset_size(type.get(), std::max<std::size_t>(bytes, 1)) >= 0 &&
                    H5Tset_strpad(type.get(), H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type.get(), H5T_CSET_UTF8) >= 0;
  return done ? std::move(type) : Handle();
}

/// Bytes of one string. A NULL ends it in files, so it cannot hold one.
void check_text(const OpenFile& file, const std::string& name, const std::string& text) {
  if (static_cast<int64_t>(text.size()) > kMaxStringBytes)
    fail(ErrorKind::usage, "[hdf5] ", name, " in ", file.path.string(), ": a text of ", text.size(), " bytes, at most ",
         kMaxStringBytes, " are stored");
  if (text.find('\0') != std::string::npos)
    fail(ErrorKind::usage, "[hdf5] ", name, " in ", file.path.string(), ": a text holds a zero byte");
}

std::size_t checked_text_size(const OpenFile& file, const std::string& name, hid_t type) {
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
    file.fail_object(name, "needs text of fixed length, has another type");
  const std::size_t size = H5Tget_size(type);
  if (size == 0 || static_cast<int64_t>(size) > kMaxStringBytes)
    file.fail_object(name, "has text of ", size, " bytes, at most ", kMaxStringBytes, " are read");
  return size;
}

/// Cut at the first zero: padding, or the terminator of other writers.
std::string unpad(const char* text, std::size_t size) { return std::string(text, std::find(text, text + size, '\0')); }

std::vector<std::string> read_strings(const OpenFile& file, const std::string& name) {
  const OpenedDataset dataset = open_dataset(file, name);
  const std::size_t size = checked_text_size(file, name, dataset.type.get());
  const auto count = static_cast<std::size_t>(dataset.count);  // count * size was checked against the file
  std::string bytes(count * size, '\0');
  if (count > 0 && H5Dread(dataset.dataset.get(), dataset.type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
    file.fail_call(ErrorKind::data, "read", name);
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) texts.push_back(unpad(bytes.data() + i * size, size));
  return texts;
}

void write_strings(OpenFile& file, const std::string& name, const std::vector<std::string>& texts) {
  std::size_t longest = 1;
  for (const std::string& text : texts) {
    check_text(file, name, text);
    longest = std::max(longest, text.size());
  }
  std::string bytes(texts.size() * longest, '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i].copy(bytes.data() + i * longest, longest);
  const Handle type = text_type(longest);
  if (!type) file.fail_call(ErrorKind::internal, "prepare", name);
  write_dataset(file, name, {static_cast<int64_t>(texts.size())}, type.get(), bytes.data());
}

}  // namespace

std::string File::read_text(const std::string& name) const {
  const LibraryLock lock;
  std::vector<std::string> texts = read_strings(*file_, name);
  if (texts.size() != 1) file_->fail_object(name, "needs one text, has ", texts.size());
  return std::move(texts[0]);
}

void File::write_text(const std::string& name, const std::string& text) {
  const LibraryLock lock;
  write_strings(*file_, name, {text});
}

std::vector<std::string> File::read_texts(const std::string& name) const {
  const LibraryLock lock;
  return read_strings(*file_, name);
}

void File::write_texts(const std::string& name, const std::vector<std::string>& texts) {
  const LibraryLock lock;
  write_strings(*file_, name, texts);
}

bool File::has_attribute(const std::string& object, const std::string& name) const {
  const LibraryLock lock;
  const htri_t found = H5Aexists(open_object(*file_, object).get(), name.c_str());
  if (found < 0) file_->fail_call(ErrorKind::data, "look up attribute " + name + " of", object);
  return found > 0;
}

std::string File::read_attribute(const std::string& object, const std::string& name) const {
  const LibraryLock lock;
  const std::string label = concat("attribute '", name, "' of ", object);
  const Handle owner = open_object(*file_, object);
  const htri_t found = H5Aexists(owner.get(), name.c_str());
  if (found < 0) file_->fail_call(ErrorKind::data, "look up", label);
  if (found == 0) file_->fail_object(label, "is missing");
  const Handle attribute(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute) file_->fail_call(ErrorKind::data, "open", label);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose);
  if (!type || !space) file_->fail_call(ErrorKind::data, "read", label);
  const std::size_t size = checked_text_size(*file_, label, type.get());
  if (H5Sget_simple_extent_npoints(space.get()) != 1) file_->fail_object(label, "needs one text");
  std::string bytes(size, '\0');
  if (H5Aread(attribute.get(), type.get(), bytes.data()) < 0) file_->fail_call(ErrorKind::data, "read", label);
  return unpad(bytes.data(), size);
}

void File::write_attribute(const std::string& object, const std::string& name, const std::string& text) {
  const LibraryLock lock;
  const std::string label = concat("attribute '", name, "' of ", object);
  file_->check_writable(label);
  check_text(*file_, label, text);
  // Larger ones would leave the object's header, which has a checksum, for a place that has none.
  constexpr std::size_t kMostBytes = 60000;
  if (text.size() > kMostBytes)
    fail(ErrorKind::usage, "[hdf5] ", label, " in ", file_->path.string(), " needs at most ", kMostBytes,
         " bytes, has ", text.size());
  const Handle owner = open_object(*file_, object);
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  if (!type || !space) file_->fail_call(ErrorKind::internal, "prepare", label);
  const Handle attribute(H5Acreate2(owner.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  const std::string bytes = text.empty() ? std::string(1, '\0') : text;
  if (!attribute || H5Awrite(attribute.get(), type.get(), bytes.data()) < 0)
    file_->fail_call(ErrorKind::io, "write", label);
}

}  // namespace vit::h5
