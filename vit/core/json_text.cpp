#include "vit/core/json_text.h"

#include <algorithm>

namespace vit {
namespace {

/// Brackets that are open at once, at the most; of a text that is JSON.
int levels_of(std::string_view text) {
  int open = 0, most = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') ++i;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '[' || c == '{') most = std::max(most, ++open);
    if (c == ']' || c == '}') --open;
  }
  return most;
}

}  // namespace

bool nests_too_deep(std::string_view json) { return levels_of(json) > kMostJsonLevels; }

nlohmann::json parse_json_text(std::string_view text) {
  if (nests_too_deep(text)) return nlohmann::json(nlohmann::json::value_t::discarded);
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace vit
