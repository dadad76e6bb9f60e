// The fields of an options struct, listed once: from one table come its JSON, its checks, its part of the command line
// and so of docs/cli.md. A new option is a member and a row:
//
//     constexpr OptionField<TrainConfig> kFields[] = {
//         {.name = "lr", .member = kMember<&TrainConfig::lr>, .range = kAboveZero,
//          .option = "--lr", .unit = "RATE", .group = "Schedule", .help = "learning rate at the top"}, ...
//
// A struct hands out its table by a function (train_options(), vit/core/option_table.h names its type). Reading and
// writing go through the functions below; tools walk the table for the command line.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/option_table.h"
#include "vit/core/word_rows.h"
#include "vit/core/words.h"

namespace vit {

/// How files hold a field.
enum class Stored {
  required,  // each file has it
  always,    // always written; a file without it means the default
  changed,   // newer than files that are about: written only where it differs from the default
};

/// A field as a table sees it; made by kMember.
template <class Options>
struct OptionMember {
  nlohmann::json (*write)(const Options&);
  /// Throws what JsonFields throws for a value of another type or a word that is none of the row's.
  void (*read)(const JsonFields&, const OptionField<Options>&, Options&);
  void (*check)(const Options&, const OptionField<Options>&, Faults&);
  void (*copy)(const Options& from, Options& to);
  /// Of an enum; null for all others.
  std::vector<std::string> (*words)();
};

template <class Options>
struct OptionField {
  const char* name;  // in JSON
  OptionMember<Options> member;
  std::optional<Range> range = {};  // of numbers; none = any
  const char* cause = nullptr;      // of a number out of range, where there is a likely one
  Stored stored = Stored::always;

  /// Whether it has an effect beside the other fields; null = always. `idle` says why not: "augment.elastic is 0".
  bool (*acts)(const Options&) = nullptr;
  const char* idle = "";

  const char* option = nullptr;  // on the command line; null = in files only
  // "" = its words, for a bool a flag that sets it. "on|off", or other words with bars: those that the option takes.
  const char* unit = "";
  std::vector<std::string> (*words)() = nullptr;  // of a text that names a part: the words of the parts' table
  const char* group = "";                         // heading in the help
  const char* help = "";

  /// The words that may stand on the command line; none = numbers or any text.
  std::vector<std::string> choices() const;
};

/// Values that a row cannot put out of range.
template <class T>
struct AnyValue {
  template <class Field>
  static void check(const T&, const Field&, Faults&) {}
};

/// How values of a type are read, written and checked: one specialisation a kind of value. This one is for enums.
template <class T>
struct OptionValue : AnyValue<T> {
  static nlohmann::json write(T value) { return std::string(word_of(value)); }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, T& out) {
    out = fields.word<T>(field.name);
  }
};

template <>
struct OptionValue<std::string> : AnyValue<std::string> {
  static nlohmann::json write(const std::string& value) { return value; }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, std::string& out) {
    const std::string text = fields.text(field.name);
    if (field.words != nullptr) {
      const std::vector<std::string> words = field.words();
      if (std::ranges::find(words, text) == words.end())
        fields.reject_field(field.name, concat("one of ", word_list(words)));
    }
    out = text;
  }
};

template <>
struct OptionValue<bool> : AnyValue<bool> {
  static nlohmann::json write(bool value) { return value; }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, bool& out) {
    out = fields.flag(field.name);
  }
};

/// Numbers: `name` is that of the field, with an index where it has several.
template <class Number, class Field>
void check_number(std::string_view name, Number value, const Field& field, Faults& faults) {
  if (!field.range) return;
  const bool good = field.range->contains(static_cast<double>(value));
  faults.check(good, name, ": needs ", field.range->text(), ", has ", value, field.cause == nullptr ? "" : "; ",
               field.cause == nullptr ? "" : field.cause);
}

template <class Number>
struct NumberInRange {
  template <class Field>
  static void check(Number value, const Field& field, Faults& faults) {
    check_number(field.name, value, field, faults);
  }
};

template <>
struct OptionValue<int64_t> : NumberInRange<int64_t> {
  static nlohmann::json write(int64_t value) { return value; }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, int64_t& out) {
    out = fields.integer(field.name);
  }
};

template <>
struct OptionValue<uint64_t> : NumberInRange<uint64_t> {
  static nlohmann::json write(uint64_t value) { return value; }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, uint64_t& out) {
    const nlohmann::json& value = fields.field(field.name);
    const bool whole = value.is_number_integer() && (value.is_number_unsigned() || value.get<int64_t>() >= 0);
    if (!whole) fields.reject_field(field.name, "a whole number of at least 0");
    out = value.get<uint64_t>();
  }
};

template <>
struct OptionValue<float> : NumberInRange<float> {
  static nlohmann::json write(float value) { return shortest_double(value); }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, float& out) {
    out = fields.number(field.name);
  }
};

/// One number a colour.
template <>
struct OptionValue<std::array<float, 3>> {
  static nlohmann::json write(const std::array<float, 3>& values) {
    return {shortest_double(values[0]), shortest_double(values[1]), shortest_double(values[2])};
  }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, std::array<float, 3>& out) {
    const nlohmann::json& json = fields.field(field.name);
    if (!json.is_array() || json.size() != 3) fields.reject_field(field.name, "3 numbers");
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = fields.to_float(json[c], field.name);
  }
  template <class Field>
  static void check(const std::array<float, 3>& values, const Field& field, Faults& faults) {
    for (std::size_t c = 0; c < values.size(); ++c)
      check_number(concat(field.name, "[", c, "]"), values[c], field, faults);
  }
};

template <class Enum>
std::vector<std::string> enum_words() {
  std::vector<std::string> words;
  for (const auto& word : words_of<Enum>()) words.emplace_back(word.word);
  return words;
}

template <class Options, class T, T Options::*Pointer>
constexpr OptionMember<Options> make_member() {
  using Value = OptionValue<T>;
  OptionMember<Options> member{.write = [](const Options& from) { return Value::write(from.*Pointer); },
                               .read = [](const JsonFields& fields, const OptionField<Options>& field,
                                          Options& to) { Value::read(fields, field, to.*Pointer); },
                               .check = [](const Options& options, const OptionField<Options>& field,
                                           Faults& faults) { Value::check(options.*Pointer, field, faults); },
                               .copy = [](const Options& from, Options& to) { to.*Pointer = from.*Pointer; },
                               .words = nullptr};
  if constexpr (std::is_enum_v<T>) member.words = enum_words<T>;
  return member;
}

template <auto Pointer>
struct MemberOf;
template <class Options, class T, T Options::*Pointer>
struct MemberOf<Pointer> {
  static constexpr OptionMember<Options> value = make_member<Options, T, Pointer>();
};
/// kMember<&TrainConfig::lr>.
template <auto Pointer>
inline constexpr auto kMember = MemberOf<Pointer>::value;

template <class Options>
std::vector<std::string> OptionField<Options>::choices() const {
  const std::string_view text = unit;
  if (text.find('|') == std::string_view::npos) {
    if (words != nullptr) return words();
    return member.words != nullptr ? member.words() : std::vector<std::string>{};
  }
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '|')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

template <class Options>
std::vector<std::string_view> option_names(OptionTable<Options> table) {
  std::vector<std::string_view> names;
  for (const auto& field : table) names.emplace_back(field.name);
  return names;
}

/// All fields, whatever files hold of them.
template <class Options>
nlohmann::json all_options_json(OptionTable<Options> table, const Options& options) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& field : table) json[field.name] = field.member.write(options);
  return json;
}

/// The fields that files hold.
template <class Options>
nlohmann::json options_json(OptionTable<Options> table, const Options& options) {
  const Options defaults;
  nlohmann::json json = nlohmann::json::object();
  for (const auto& field : table) {
    nlohmann::json value = field.member.write(options);
    if (field.stored != Stored::changed || value != field.member.write(defaults)) json[field.name] = std::move(value);
  }
  return json;
}

/// Fields that `fields` lacks keep their value; a required one that is missing is an Error (data), as is a value of
/// another type.
template <class Options>
void read_options(OptionTable<Options> table, const JsonFields& fields, Options& options) {
  for (const auto& field : table)
    if (field.stored == Stored::required || fields.has(field.name)) field.member.read(fields, field, options);
}

/// Adds the numbers that are out of range.
template <class Options>
void check_options(OptionTable<Options> table, const Options& options, Faults& faults) {
  for (const auto& field : table) field.member.check(options, field, faults);
}

}  // namespace vit
