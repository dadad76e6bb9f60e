// One input that holds several files.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/target.h"

namespace vit::fuzz {

/// Stands between them.
inline constexpr std::string_view kBetween = "\n--file--\n";

/// Always `count`; those that are not there are empty.
inline std::vector<std::string> files_of(Bytes bytes, std::size_t count) {
  std::vector<std::string> files;
  std::string_view rest = text_of(bytes);
  while (files.size() + 1 < count) {
    const std::size_t end = std::min(rest.find(kBetween), rest.size());
    files.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + kBetween.size(), rest.size()));
  }
  files.emplace_back(rest);
  return files;
}

}  // namespace vit::fuzz
