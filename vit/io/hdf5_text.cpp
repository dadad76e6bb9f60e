// Strings of fixed length: those of variable length lie in a heap without checksums.
#include <algorithm>

#include "vit/io/hdf5.h"
#include "vit/io/hdf5_library.h"
#include "vit/io/hdf5_stored.h"

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

std::size_t checked_text_size(const Source& source, const std::string& name, const Datatype& type) {
  if (type.kind != Datatype::Kind::text) source.fail_object(name, "needs text of fixed length, has another type");
  if (type.bytes > static_cast<uint64_t>(kMaxStringBytes))
    source.fail_object(name, "has text of ", type.bytes, " bytes, at most ", kMaxStringBytes, " are read");
  return static_cast<std::size_t>(type.bytes);
}

/// Cut at the first zero: padding, or the terminator of other writers.
std::string unpad(std::span<const uint8_t> text) { return {text.begin(), std::ranges::find(text, 0)}; }

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
  std::vector<std::string> texts = read_texts(name);
  if (texts.size() != 1) reader(name).source().fail_object(name, "needs one text, has ", texts.size());
  return std::move(texts[0]);
}

void File::write_text(const std::string& name, const std::string& text) { write_texts(name, {text}); }

std::vector<std::string> File::read_texts(const std::string& name) const {
  const Object object = reader(name).open(name);
  const StoredDataset dataset(read_, name, object);
  const std::size_t size = checked_text_size(dataset.source(), name, dataset.type());
  std::vector<uint8_t> bytes(static_cast<std::size_t>(dataset.count()) * size);  // was checked against the file
  dataset.read_rows(0, dataset.rows(), bytes);
  std::vector<std::string> texts;
  for (std::span<const uint8_t> rest = bytes; !rest.empty(); rest = rest.subspan(size))
    texts.push_back(unpad(rest.first(size)));
  return texts;
}

void File::write_texts(const std::string& name, const std::vector<std::string>& texts) {
  OpenFile& file = writer(name);
  const LibraryLock lock;
  write_strings(file, name, texts);
}

bool File::has_attribute(const std::string& object, const std::string& name) const {
  const StoredFile& file = reader(object);
  return find_attribute(file.source(), file.open(object), name).has_value();
}

std::string File::read_attribute(const std::string& object, const std::string& name) const {
  const std::string label = concat("attribute '", name, "' of ", object);
  const StoredFile& file = reader(label);
  const Source& source = file.source();
  const auto attribute = find_attribute(source, file.open(object), name);
  if (!attribute) source.fail_object(label, "is missing");
  const std::size_t size = checked_text_size(source, label, attribute->type);
  const Dataspace& space = attribute->space;
  if (space.null || std::ranges::any_of(space.shape, [](uint64_t n) { return n != 1; }) ||
      attribute->value.size() < size)
    source.fail_object(label, "needs one text");
  return unpad(std::span(attribute->value).first(size));
}

void File::write_attribute(const std::string& object, const std::string& name, const std::string& text) {
  const std::string label = concat("attribute '", name, "' of ", object);
  OpenFile& file = writer(label);
  const LibraryLock lock;
  file.check_writes();
  check_text(file, label, text);
  // Larger ones would leave the object's header, which has a checksum, for a place that has none.
  constexpr std::size_t kMostBytes = 60000;
  if (text.size() > kMostBytes)
    fail(ErrorKind::usage, "[hdf5] ", label, " in ", file.path.string(), " needs at most ", kMostBytes, " bytes, has ",
         text.size());
  const Handle owner = open_object(file, object);
  const Handle type = text_type(text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  if (!type || !space) file.fail_call(ErrorKind::internal, "prepare", label);
  const Handle attribute(H5Acreate2(owner.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  const std::string bytes = text.empty() ? std::string(1, '\0') : text;
  if (!attribute || H5Awrite(attribute.get(), type.get(), bytes.data()) < 0)
    file.fail_call(ErrorKind::io, "write", label);
}

}  // namespace vit::h5
