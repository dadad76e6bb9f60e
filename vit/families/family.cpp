#include "vit/families/family.h"

#include <algorithm>
#include <limits>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/word_rows.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

/// Special ones before general ones.
const Family kFamilies[] = {
    torchvision_family(), google_family(),    open_clip_timm_family(), clip_family(),     hf_deit_family(),
    hf_vit_family(),      hf_dinov2_family(), hf_dinov3_family(),      hf_clip_family(),  hf_siglip_family(),
    hf_aimv2_family(),    dinov3_family(),    dinov2_family(),         timm_eva_family(), timm_family(),
};

std::string first_names(const TensorFile& file) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(file.entries().size(), 4); ++i)
    text += concat(i == 0 ? "" : ", ", file.entries()[i].name);
  return file.entries().size() > 4 ? text + ", ..." : text;
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& family_of(std::string_view word) {
  std::string name(word);
  std::ranges::replace(name, '_', '-');  // model types of transformers have the one, names of weights the other
  return row_of(kFamilies, name, "[import] --family");
}

const Family& recognise(const Checkpoint& checkpoint) {
  for (const Family& family : kFamilies)
    if (family.matches(checkpoint)) return family;
  fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " is of no known family (",
       word_list(row_words(kFamilies)), "); its tensors are ", first_names(checkpoint.tensors));
}

const std::vector<int64_t>& Checkpoint::shape(std::string_view name, std::size_t dimensions) const {
  const TensorEntry* entry = find_tensor(tensors, name);
  const std::string where = tensors.path().string();
  if (entry == nullptr) fail(ErrorKind::data, "[import] ", name, " is missing in ", where);
  if (entry->shape.size() != dimensions)
    fail(ErrorKind::data, "[import] ", name, " in ", where, " needs ", dimensions, " dimensions, has ",
         entry->shape.size());
  if (entry->count == 0) fail(ErrorKind::data, "[import] ", name, " in ", where, " is empty");
  return entry->shape;
}

int64_t Checkpoint::count(std::string_view pattern) const {
  int64_t count = 0;
  while (has(with_block(pattern, count))) ++count;
  return count;
}

int64_t Piece::elements() const {
  int64_t count = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) count *= i == along && rows > 0 ? rows : shape[i];
  return count;
}

int64_t Piece::row_elements() const {
  int64_t count = 1;
  for (std::size_t i = along + 1; i < shape.size(); ++i) count *= shape[i];
  return count;
}

// ---- config.json ----

namespace {

const nlohmann::json* field_of(const nlohmann::json& config, const char* field) {
  if (!config.is_object() || !config.contains(field) || config[field].is_null()) return nullptr;
  return &config[field];
}

[[noreturn]] void reject(const char* field, const char* needs, const nlohmann::json& value) {
  fail(ErrorKind::data, "[config.json] ", field, ": needs ", needs, ", has ", json_text(value));
}

}  // namespace

int64_t config_integer(const nlohmann::json& config, const char* field, int64_t fallback) {
  const nlohmann::json* value = field_of(config, field);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer() ||
      (value->is_number_unsigned() &&
       value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())))
    reject(field, "a whole number", *value);
  return value->get<int64_t>();
}

double config_number(const nlohmann::json& config, const char* field, double fallback) {
  const nlohmann::json* value = field_of(config, field);
  if (value == nullptr) return fallback;
  if (!value->is_number()) reject(field, "a number", *value);
  return value->get<double>();
}

bool config_flag(const nlohmann::json& config, const char* field, bool fallback) {
  const nlohmann::json* value = field_of(config, field);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) reject(field, "true or false", *value);
  return value->get<bool>();
}

std::string config_text(const nlohmann::json& config, const char* field, std::string_view fallback) {
  const nlohmann::json* value = field_of(config, field);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) reject(field, "a text", *value);
  return value->get<std::string>();
}

}  // namespace vit
