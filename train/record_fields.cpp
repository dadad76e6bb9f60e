#include "train/record_fields.h"

#include <limits>

#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit {

using nlohmann::json;

RecordFields::RecordFields(const json& object, std::string_view what, std::string_view where)
    : object_(object), what_(what), where_(where) {
  if (!object.is_object())
    fail(ErrorKind::data, "[", what_, "] needs an object, has ", object.type_name(), " (", where_, ")");
}

const json& RecordFields::at(const char* name) const {
  const auto found = object_.find(name);
  if (found == object_.end()) fail(ErrorKind::data, "[", what_, "] ", name, ": is missing (", where_, ")");
  return *found;
}

void RecordFields::reject(const char* name, std::string_view needs) const {
  fail(ErrorKind::data, "[", what_, "] ", name, ": needs ", needs, ", has ", json_text(at(name)), " (", where_, ")");
}

int64_t RecordFields::count(const char* name) const {
  const json& value = at(name);
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool too_large = value.is_number_unsigned() && value.get<uint64_t>() > kMost;
  if (!value.is_number_integer() || too_large || value.get<int64_t>() < 0) reject(name, "a whole number of at least 0");
  return value.get<int64_t>();
}

double RecordFields::number(const char* name) const {
  if (!at(name).is_number()) reject(name, "a number");
  return at(name).get<double>();
}

std::optional<double> RecordFields::optional_number(const char* name) const {
  if (at(name).is_null()) return std::nullopt;
  return number(name);
}

json parse_json(std::string_view text, std::string_view what, std::string_view where) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) fail(ErrorKind::data, "[", what, "] needs JSON, has other text (", where, ")");
  return value;
}

json optional_json(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

}  // namespace vit
