// Names, paths and messages are bytes that come from elsewhere; what is written or shown of them is text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vit {

/// The bytes as text that is safe in every output: valid UTF-8 on one line. Each byte that is not part of valid UTF-8,
/// or belongs to a control character (C0, DEL, C1, line and paragraph separators, changes of direction), stands as
/// \xHH. So does a backslash that would read as the start of one, so the bytes can be had back (docs/formats.md).
std::string printable(std::string_view bytes);
/// The same of a message, in which names may stand as text already: what reads as escaped stays.
std::string printable_message(std::string_view message);
/// printable of each.
std::vector<std::string> printable(const std::vector<std::string>& names);

}  // namespace vit
