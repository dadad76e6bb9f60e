// JSON as text, everywhere in one way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace vit {

/// The text with each control character that JSON leaves as it is (DEL, C1, ...) as \uXXXX.
std::string without_controls(std::string json);

/// On one line, or over several with `indent` blanks a level; no control characters. Never throws for its content:
/// strings from outside go in as printable() text, and a byte that still is not UTF-8 becomes U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return without_controls(json.dump(indent, ' ', false, Json::error_handler_t::replace));
}

}  // namespace vit
