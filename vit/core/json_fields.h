// Reading JSON objects with errors that name the field and the file.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/core/words.h"

namespace vit {

/// The double with the fewest digits that rounds to `value`, so that 0.485f is written as 0.485.
inline double shortest_double(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  double result = 0;
  std::from_chars(text, end.ptr, result);
  return result;
}

/// none is null.
inline nlohmann::json optional_json(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

/// Throws Error that names `what` and `where`: data for a text that is not JSON or nests too deep, usage for a number
/// beyond all doubles.
inline nlohmann::json parse_json(std::string_view text, std::string_view what, std::string_view where) {
  if (nests_too_deep(text))
    fail(ErrorKind::data, "[", what, "] nests too deep: JSON of at most ", kMostJsonLevels, " levels is read (", where,
         ")");
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::out_of_range& error) {
    fail(ErrorKind::usage, "[", what, "] a number is too large: ", error.what(), " (", where, ")");
  } catch (const nlohmann::json::parse_error& error) {
    fail(ErrorKind::data, "[", what, "] is not JSON, from byte ", error.byte, " on (", where,
         "); is the file damaged?");
  }
}

/// One object and the names of what it is and where it came from. What the readers throw is Error (data).
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
    if (!field(name).is_string()) reject_field(name, "a string");
    return field(name).get<std::string>();
  }
  bool flag(const char* name) const {
    if (!field(name).is_boolean()) reject_field(name, "true or false");
    return field(name).get<bool>();
  }
  int64_t integer(const char* name) const {
    const nlohmann::json& value = field(name);
    const bool too_large = value.is_number_unsigned() &&
                           value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!value.is_number_integer() || too_large) reject_field(name, "an integer");
    return value.get<int64_t>();
  }
  /// A whole number of at least 0.
  int64_t count(const char* name) const {
    const int64_t value = integer(name);
    if (value < 0) reject_field(name, "a whole number of at least 0");
    return value;
  }
  double real(const char* name) const {
    if (!field(name).is_number()) reject_field(name, "a number");
    return field(name).get<double>();
  }
  /// null is none.
  std::optional<double> optional_real(const char* name) const {
    if (field(name).is_null()) return std::nullopt;
    return real(name);
  }
  /// Infinite where the number is larger than any float: the checks of ranges come later.
  float number(const char* name) const { return to_float(field(name), name); }
  float to_float(const nlohmann::json& value, const char* name) const {
    if (!value.is_number()) reject(name, ": needs a number, has ", json_text(value));
    constexpr double kMost{std::numeric_limits<float>::max()};
    const auto wide = value.get<double>();
    if (std::abs(wide) > kMost) return std::copysign(std::numeric_limits<float>::infinity(), wide > 0 ? 1.0f : -1.0f);
    return static_cast<float>(wide);
  }
  /// The value of one of the enum's words.
  template <class Enum>
  Enum word(const char* name) const {
    const auto value = find_word<Enum>(text(name));
    if (!value) reject_field(name, concat("one of ", word_list<Enum>()));
    return *value;
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[", what_, "] ", concat(parts...), " (", where_, ")");
  }
  [[noreturn]] void reject_field(const char* name, std::string_view needs) const {
    reject(name, ": needs ", needs, ", has ", json_text(field(name)));
  }

 private:
  const nlohmann::json& json_;
  std::string what_;
  std::string where_;
};

}  // namespace vit
