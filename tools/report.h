// What several commands print.
#pragma once

#include <iostream>
#include <string>
#include <vector>

#include "infer/text_format.h"
#include "tools/commands.h"
#include "vit/core/text.h"

namespace vit::tools {

/// Where text for people goes when `output` (empty = none) is written, too: standard output, or standard error when the
/// output itself takes that.
std::ostream& text_beside(const std::string& output);

/// The error, with the path in front where it does not name it.
std::string unreadable_text(const std::string& path, const std::string& error);

/// Names each input that could not be read on stderr, then their number. Items have `path` and `error`.
/// Returns the exit code.
template <class Items>
int report_unreadable(const Items& items) {
  if (items.empty()) return kDone;
  for (const auto& item : items)
    std::cerr << "vit: unreadable: " << printable(unreadable_text(item.path, item.error)) << '\n';
  std::cerr << "vit: " << items.size() << (items.size() == 1 ? " input" : " inputs")
            << " could not be read and had no part in the result\n";
  return kSomeUnreadable;
}

/// "12 classes: cat, dog, ..." with as many names as fit a line.
std::string class_summary(const std::vector<std::string>& names);

}  // namespace vit::tools
