// Reading of JSON that Python programs write.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/published.h"
#include "preprocess/published_scale.h"
#include "vit/core/json_fields.h"

namespace vit::published {

using nlohmann::json;
using Color = std::array<float, 3>;

/// A JSON object whose null fields count as missing, as in Python's `or`.
class Reader {
 public:
  Reader(const json& object, const char* what, std::string_view where)
      : fields_(object, what, where), object_(object) {}

  bool has(const char* name) const { return object_.contains(name) && !object_[name].is_null(); }
  const json& value(const char* name) const { return fields_.field(name); }
  std::string text(const char* name, const char* fallback) const { return has(name) ? fields_.text(name) : fallback; }
  bool flag(const char* name, bool fallback) const { return has(name) ? fields_.flag(name) : fallback; }
  double real(const char* name, double fallback) const { return has(name) ? fields_.real(name) : fallback; }

  /// Three numbers; where `single` also one for all three.
  Color color(const char* name, const Color& fallback, bool single) const {
    if (!has(name)) return fallback;
    const json& from = value(name);
    if (single && from.is_number()) {
      const float number = fields_.to_float(from, name);
      return {number, number, number};
    }
    if (!from.is_array() || from.size() != 3) fields_.reject_field(name, "3 numbers");
    return {fields_.to_float(from[0], name), fields_.to_float(from[1], name), fields_.to_float(from[2], name)};
  }

  /// A side in pixels, or two equal ones.
  int64_t side(const char* name, const json& from) const {
    const json& one = from.is_array() && from.size() == 2 && from[0] == from[1] ? from[0] : from;
    const bool whole = one.is_number_integer() && one > 0 && one <= kLargestSide;
    if (!whole) fields_.reject(name, ": needs the side of a square in 1..16384, has ", json_text(from));
    return one.get<int64_t>();
  }

  /// Notes for the fields that are in neither list.
  void note_others(std::span<const std::string_view> names, std::vector<std::string>& notes) const {
    for (const auto& item : object_.items())
      if (std::find(names.begin(), names.end(), item.key()) == names.end())
        notes.push_back(concat("field ", json_text(json(item.key())), " of the preprocessing is unknown and not used"));
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fields_.reject(parts...);
  }
  [[noreturn]] void reject_field(const char* name, std::string_view needs) const { fields_.reject_field(name, needs); }

 private:
  JsonFields fields_;
  const json& object_;
};

/// The rule, if all of its fields are in range; else throws Error (data) that names the file.
inline PublishedRule checked(PublishedRule rule, std::string_view where) {
  preprocess_config_from_json(to_json(rule.config), where);
  return rule;
}

}  // namespace vit::published
