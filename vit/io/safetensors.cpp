#include "vit/io/safetensors.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_strict.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/file_bytes.h"
#include "vit/io/tensor_list.h"
#include "vit/io/tensor_values.h"

namespace vit {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr std::size_t kMostDimensions = 32;
constexpr const char* kMetadata = "__metadata__";

struct Type {
  std::string_view word;
  int64_t bits;
  TensorNumber number = TensorNumber::other;
};
constexpr Type kTypes[] = {
    {"F64", 64, TensorNumber::f64},
    {"F32", 32, TensorNumber::f32},
    {"F16", 16, TensorNumber::f16},
    {"BF16", 16, TensorNumber::bf16},
    {"C64", 64},
    {"I64", 64},
    {"I32", 32},
    {"I16", 16},
    {"I8", 8},
    {"U64", 64},
    {"U32", 32},
    {"U16", 16},
    {"U8", 8},
    {"BOOL", 8},
    {"F8_E4M3", 8},
    {"F8_E5M2", 8},
    {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"F4", 4},
};

/// Where the data of a tensor lies, from the end of the header on.
struct Place {
  TensorNumber number = TensorNumber::other;
  uint64_t begin = 0;
  uint64_t end = 0;
};
using Listed = ListedTensor<Place>;

/// A value as messages show it: on one line, and not all of a long one.
std::string shown(const nlohmann::json& json) {
  constexpr std::size_t kMost = 80;
  const std::string text =
      json.is_structured() && json.size() > kMost ? std::string(json.type_name()) : json_text(json);
  return text.size() <= kMost ? text : cut_name(text, kMost) + "...";
}

/// The fields of one tensor in the header.
class Fields {
 public:
  Fields(const nlohmann::json& json, const std::string& name, const std::string& path) : json_(json) {
    where_ = concat(printable(name), " in ", path);
    if (!json.is_object()) reject("needs a JSON object, has ", shown(json));
    for (const auto& item : json.items())
      if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets")
        reject("unknown field ", shown(item.key()));
  }

  std::string text(const char* name) const {
    if (!field(name).is_string()) reject(name, ": needs a string, has ", shown(field(name)));
    return field(name).get<std::string>();
  }
  /// Whole numbers of at least 0, `most` of them or fewer.
  std::vector<int64_t> numbers(const char* name, std::size_t most) const {
    const nlohmann::json& list = field(name);
    if (!list.is_array()) reject(name, ": needs a list, has ", shown(list));
    if (list.size() > most) reject(name, ": needs at most ", most, " numbers, has ", list.size());
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    std::vector<int64_t> numbers;
    for (const nlohmann::json& value : list) {
      if (!value.is_number_unsigned() || value.get<uint64_t>() > kMost)
        reject(name, ": needs whole numbers of at least 0, has ", shown(value));
      numbers.push_back(value.get<int64_t>());
    }
    return numbers;
  }
  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[safetensors] ", where_, ": ", parts...);
  }
  std::string shown_field(const char* name) const { return concat(name, ' ', shown(field(name))); }

 private:
  const nlohmann::json& field(const char* name) const {
    if (!json_.contains(name)) reject("field '", name, "' is missing");
    return json_[name];
  }

  const nlohmann::json& json_;
  std::string where_;
};

/// One tensor of the header. Its bytes are compared with its shape, not yet with the file.
Listed read_tensor(const std::string& name, const nlohmann::json& json, const std::string& path) {
  const Fields fields(json, name, path);
  const std::string word = fields.text("dtype");
  const Type* type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& t) { return t.word == word; });
  if (type == std::end(kTypes)) fields.reject(fields.shown_field("dtype"), " is unknown");

  Listed tensor{{name, fields.numbers("shape", kMostDimensions), 0, word}, {type->number, 0, 0}};
  const auto count = count_elements(tensor.entry.shape, type->bits);
  if (!count) fields.reject(fields.shown_field("shape"), " has more elements than any file");
  tensor.entry.count = *count;

  const std::vector<int64_t> offsets = fields.numbers("data_offsets", 2);
  if (offsets.size() != 2) fields.reject(fields.shown_field("data_offsets"), " needs two numbers");
  if (offsets[0] > offsets[1]) fields.reject(fields.shown_field("data_offsets"), " is reversed");
  const int64_t bits = *count * type->bits;
  const int64_t bytes = offsets[1] - offsets[0];
  if (bits % 8 != 0 || bits / 8 != bytes)
    fields.reject(fields.shown_field("shape"), " of ", word, " needs ", bits / 8 + (bits % 8 != 0 ? 1 : 0), " bytes, ",
                  fields.shown_field("data_offsets"), " has ", bytes);
  tensor.place.begin = static_cast<uint64_t>(offsets[0]);
  tensor.place.end = static_cast<uint64_t>(offsets[1]);
  return tensor;
}

/// The tensors lie side by side from the first byte of the data to the last.
void check_cover(const std::vector<Listed>& tensors, uint64_t data_bytes, const std::string& path) {
  std::vector<const Listed*> order;
  for (const Listed& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const Listed* a, const Listed* b) {
    return std::pair(a->place.begin, a->place.end) < std::pair(b->place.begin, b->place.end);
  });
  uint64_t covered = 0;
  const Listed* before = nullptr;
  for (const Listed* tensor : order) {
    const auto reject = [&](const auto&... parts) {
      fail(ErrorKind::data, "[safetensors] ", printable(tensor->entry.name), " in ", path, ": data_offsets [",
           tensor->place.begin, ", ", tensor->place.end, "] ", parts...);
    };
    if (tensor->place.end > data_bytes)
      reject("go beyond the end: the file has ", data_bytes, " bytes of data; was it copied only in part?");
    if (tensor->place.begin < covered) reject("overlap those of ", printable(before->entry.name));
    if (tensor->place.begin > covered)
      reject("leave a gap: the bytes from ", covered, " on belong to no tensor; is the file damaged?");
    covered = tensor->place.end;
    before = tensor;
  }
  if (covered != data_bytes)
    fail(ErrorKind::data, "[safetensors] ", path, ": the last ", data_bytes - covered,
         " bytes belong to no tensor; is the file damaged?");
}

class Safetensors : public TensorFile {
 public:
  explicit Safetensors(const std::filesystem::path& path) : file_(path) {
    const std::string where = path.string();
    const nlohmann::json header = read_header(where);
    if (!header.is_object()) fail(ErrorKind::data, "[safetensors] header needs a JSON object (", where, ")");
    std::vector<Listed> tensors;
    for (const auto& item : header.items()) {
      if (item.key() == kMetadata) {
        read_metadata(item.value(), where);
      } else {
        tensors.push_back(read_tensor(item.key(), item.value(), where));
      }
    }
    check_cover(tensors, file_.size() - data_, where);
    list_ = TensorList<Place>(std::move(tensors), path);
  }

  const std::filesystem::path& path() const override { return file_.path(); }
  const std::vector<TensorEntry>& entries() const override { return list_.entries(); }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

  void read(const TensorEntry& entry, std::span<float> values) const override {
    const Place& place = list_.place_of(entry, values);
    check_readable(entry, place.number, path());
    uint64_t at = data_ + place.begin;
    const auto next = [&](std::span<uint8_t> out) {
      file_.read(at, out);
      at += out.size();
    };
    read_values(place.number, values, next, tensor_in(entry.name, path()));
  }

 private:
  nlohmann::json read_header(const std::string& where) {
    if (file_.size() < kLengthBytes)
      fail(ErrorKind::data, "[safetensors] ", where, " has ", file_.size(),
           " bytes; a header begins with 8 bytes of its length; was it copied only in part?");
    std::array<uint8_t, kLengthBytes> bytes{};
    file_.read(0, bytes);
    uint64_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{bytes[i]} << (8 * i);
    if (length > file_.size() - kLengthBytes)
      fail(ErrorKind::data, "[safetensors] ", where, ": the header claims ", length, " bytes, the file has ",
           file_.size(), "; was it copied only in part, or is it no safetensors file?");
    if (length > kMostSafetensorsHeader)
      fail(ErrorKind::data, "[safetensors] ", where, ": the header has ", length, " bytes, at most ",
           kMostSafetensorsHeader, " are read");
    std::string text(length, '\0');
    file_.read(kLengthBytes, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    data_ = kLengthBytes + length;
    return parse_strict_json(text, "safetensors", where);
  }

  void read_metadata(const nlohmann::json& json, const std::string& where) {
    if (!json.is_object())
      fail(ErrorKind::data, "[safetensors] ", kMetadata, " needs a JSON object, has ", shown(json), " (", where, ")");
    for (const auto& item : json.items()) {
      if (!item.value().is_string())
        fail(ErrorKind::data, "[safetensors] ", kMetadata, " '", printable(item.key()), "' needs a string, has ",
             shown(item.value()), " (", where, ")");
      metadata_.emplace(item.key(), item.value().get<std::string>());
    }
  }

  FileBytes file_;
  uint64_t data_ = 0;  // where the header ends
  TensorList<Place> list_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

std::unique_ptr<TensorFile> open_safetensors(const std::filesystem::path& path) {
  return std::make_unique<Safetensors>(path);
}

}  // namespace vit
