// Reading the fields of a JSON object with errors that name the field and the file.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit {

/// The double with the fewest digits that rounds to `value`, so that 0.485f is written as 0.485.
inline double shortest_double(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  double result = 0;
  std::from_chars(text, end.ptr, result);
  return result;
}

/// One object and the names of what it is and where it came from.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& json, std::string_view what, std::string_view where)
      : json_(json), what_(what), where_(where) {
    if (!json.is_object()) reject("needs a JSON object, has ", json.type_name());
  }

  /// Throws for a field that is in none of the names: most likely a spelling mistake.
  void allow_only(const std::vector<std::string_view>& names) const {
    for (const auto& item : json_.items()) {
      if (std::find(names.begin(), names.end(), item.key()) == names.end()) reject("unknown field '", item.key(), "'");
    }
  }
  bool has(const char* name) const { return json_.contains(name); }
  const nlohmann::json& field(const char* name) const {
    if (!has(name)) reject("field '", name, "' is missing");
    return json_[name];
  }
  std::string text(const char* name) const {
    if (!field(name).is_string()) reject("field '", name, "' needs a string, has ", json_text(field(name)));
    return field(name).get<std::string>();
  }
  int64_t integer(const char* name) const {
    const nlohmann::json& value = field(name);
    const bool too_large = value.is_number_unsigned() &&
                           value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!value.is_number_integer() || too_large) reject("field '", name, "' needs an integer, has ", json_text(value));
    return value.get<int64_t>();
  }
  bool flag(const char* name) const {
    if (!field(name).is_boolean()) reject("field '", name, "' needs true or false, has ", json_text(field(name)));
    return field(name).get<bool>();
  }
  float number(const char* name) const { return to_float(field(name), name); }
  float to_float(const nlohmann::json& value, const char* name) const {
    if (!value.is_number() || !(std::abs(value.get<double>()) <= double{std::numeric_limits<float>::max()})) {
      reject("field '", name, "' needs a number, has ", json_text(value));
    }
    return static_cast<float>(value.get<double>());
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[", what_, "] ", concat(parts...), " (", where_, ")");
  }

 private:
  const nlohmann::json& json_;
  std::string_view what_;
  std::string_view where_;
};

}  // namespace vit
