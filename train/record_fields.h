// Reads the counts and measurements that a checkpoint holds: whole numbers of at least 0 and doubles, bit for bit.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace vit {

/// The fields of one object. Each reader throws Error (data) that names the field, what it needs and what it has.
class RecordFields {
 public:
  /// `what` is the object's name in messages, `where` the file.
  RecordFields(const nlohmann::json& object, std::string_view what, std::string_view where);

  /// A whole number of at least 0.
  int64_t count(const char* name) const;
  double number(const char* name) const;
  /// null is none.
  std::optional<double> optional_number(const char* name) const;

  const nlohmann::json& at(const char* name) const;
  [[noreturn]] void reject(const char* name, std::string_view needs) const;

 private:
  const nlohmann::json& object_;
  std::string what_;
  std::string where_;
};

/// Parses a text; a fault is an Error (data) that names `what` and `where`.
nlohmann::json parse_json(std::string_view text, std::string_view what, std::string_view where);

nlohmann::json optional_json(const std::optional<double>& value);

}  // namespace vit
