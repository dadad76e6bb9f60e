// JSON as text, everywhere in one way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vit {

/// The text with each control character that JSON leaves as it is (DEL, C1, ...) as \uXXXX.
std::string without_controls(std::string json);

/// On one line, or over several with `indent` blanks a level; no control characters. Never throws for its content:
/// strings from outside go in as printable() text, and a byte that still is not UTF-8 becomes U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return without_controls(json.dump(indent, ' ', false, Json::error_handler_t::replace));
}

/// Arrays and objects in each other. What this program writes has five; values that nest without end overflow the stack
/// where they are copied or written.
inline constexpr int kMostJsonLevels = 64;
bool nests_too_deep(std::string_view json);

/// The value that the text stands for; a discarded one where it is no JSON, or has more than kMostJsonLevels.
nlohmann::json parse_json_text(std::string_view text);

}  // namespace vit
