// What several commands print.
#pragma once

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "infer/text_format.h"
#include "tools/commands.h"

namespace vit::tools {

/// The error, with the path in front where it does not name it.
std::string unreadable_text(const std::string& path, const std::string& error);

/// Names each input that could not be read on stderr, then their number. Items have `path` and `error`.
/// Returns the exit code.
template <class Items>
int report_unreadable(const Items& items) {
  if (items.empty()) return kDone;
  for (const auto& item : items)
    std::cerr << "vit: unreadable: " << one_line(unreadable_text(item.path, item.error)) << '\n';
  std::cerr << "vit: " << items.size() << (items.size() == 1 ? " input" : " inputs")
            << " could not be read and had no part in the result\n";
  return kSomeUnreadable;
}

/// JSON for people and programs; bytes that are not UTF-8 (file names) are replaced, not an error.
template <class Json>
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

/// "12 classes: cat, dog, ..." with as many names as fit a line.
std::string class_summary(const std::vector<std::string>& names);

}  // namespace vit::tools
