#include "infer/parity_reference.h"

#include <algorithm>
#include <cmath>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"

namespace vit {
namespace {

constexpr const char* kFormat = "vit-parity";
constexpr const char* kVersion = "1";
constexpr int64_t kMostMetadata = int64_t{1} << 20;
constexpr int64_t kMostEncoded = int64_t{1} << 30;

template <class... Parts>
[[noreturn]] void reject(const h5::File& file, const Parts&... parts) {
  fail(ErrorKind::data, "[parity] ", parts..., " (", file.path().string(), ")");
}

/// A vector of one of our types, of at most `most` elements.
template <class T>
std::vector<T> read_vector(const h5::File& file, const char* name, h5::Type type, int64_t most) {
  const h5::Dataset dataset = file.dataset(name);
  const h5::DatasetInfo& info = dataset.info();
  if (info.type != type || info.shape.size() != 1 || info.shape[0] > most)
    reject(file, name, ": needs one row of at most ", most, type == h5::Type::u8 ? " bytes" : " int64");
  std::vector<T> out(static_cast<std::size_t>(info.shape[0]));
  dataset.read(std::span<T>(out));
  return out;
}

void check_format(const h5::File& file) {
  if (!file.has_attribute("/", "format") || file.read_attribute("/", "format") != kFormat)
    reject(file, "this is no dump of a model; was it made by tools/parity_dump.py?");
  if (const std::string version = file.read_attribute("/", "version"); version != kVersion)
    reject(file, "version: needs ", kVersion, ", has ", version, "; take the parity_dump.py of this program's version");
}

void check_offsets(const h5::File& file, const std::vector<int64_t>& offsets, std::size_t bytes) {
  const auto end = static_cast<int64_t>(bytes);
  if (offsets.size() < 2) reject(file, "/pictures/offsets: needs at least one picture");
  if (offsets.front() != 0 || offsets.back() != end || !std::is_sorted(offsets.begin(), offsets.end()))
    reject(file, "/pictures/offsets: needs numbers that rise from 0 to ", end, ", the length of /pictures/encoded");
}

}  // namespace

ParityReference::ParityReference(const std::filesystem::path& path) : file_(h5::File::open(path)) {
  check_format(file_);
  const std::vector<uint8_t> text = read_vector<uint8_t>(file_, "/metadata", h5::Type::u8, kMostMetadata);
  metadata_ = parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, "parity",
                         concat("/metadata in ", path.string()));
  if (!metadata_.is_object()) reject(file_, "/metadata: needs an object, has ", metadata_.type_name());
  offsets_ = read_vector<int64_t>(file_, "/pictures/offsets", h5::Type::i64, kMostPictures + 1);
  encoded_ = read_vector<uint8_t>(file_, "/pictures/encoded", h5::Type::u8, kMostEncoded);
  check_offsets(file_, offsets_, encoded_.size());
}

std::span<const uint8_t> ParityReference::picture(int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  return std::span<const uint8_t>(encoded_).subspan(static_cast<std::size_t>(offsets_[i]),
                                                    static_cast<std::size_t>(offsets_[i + 1] - offsets_[i]));
}

std::string ParityReference::picture_name(int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  const auto names = metadata_.find("pictures");
  if (names != metadata_.end() && names->is_array() && i < names->size() && (*names)[i].is_string())
    return (*names)[i].get<std::string>();
  return concat("picture ", index);
}

std::optional<std::vector<int64_t>> ParityReference::shape(const std::string& name) const {
  const std::optional<h5::Dataset> dataset = file_.find(name);
  if (!dataset) return std::nullopt;
  const h5::DatasetInfo& info = dataset->info();
  if (info.type != h5::Type::f32) reject(file_, name, ": needs 32-bit floats");
  if (info.shape.size() < 2 || info.shape[0] != pictures())
    reject(file_, name, ": needs values for ", pictures(), " pictures, has ", info.shape.empty() ? 0 : info.shape[0]);
  return info.shape;
}

std::vector<float> ParityReference::values(const std::string& name) const {
  const h5::Dataset dataset = file_.dataset(name);
  int64_t count = 1;  // the reader has checked that the product fits the file
  for (int64_t n : dataset.info().shape) count *= n;
  std::vector<float> out(static_cast<std::size_t>(count));
  dataset.read(std::span<float>(out));
  if (!std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); }))
    reject(file_, name, ": holds a value that is not finite");
  return out;
}

}  // namespace vit
