// JSON of other programs, where nothing may be dropped in silence.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace vit {

/// As parse_json, and an object names each of its fields once: a doubled one is an Error, too, where the parser alone
/// keeps the last. Everything thrown is Error (data) that names `what`, `where` and the field at or behind which the
/// fault is.
nlohmann::json parse_strict_json(std::string_view text, std::string_view what, std::string_view where);

}  // namespace vit
