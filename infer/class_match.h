// Where two lists of classes meet: a class is its name, wherever it stands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vit {

struct ClassMatch {
  std::vector<int32_t> places;       // of each class of `from` in `to`; -1 = it is not there
  std::vector<std::string> missing;  // classes of `from` that `to` has not
  std::vector<std::string> unused;   // classes of `to` that `from` has not

  bool any() const { return missing.size() < places.size(); }
};

/// Equal lists match place by place, others by name. Throws Error (data) for lists that differ and hold a name twice.
ClassMatch match_names(const std::vector<std::string>& from, const std::vector<std::string>& to);

/// "'cat', 'dog', 'eel' and 4 more"; "none" for no name.
std::string some_names(const std::vector<std::string>& names);

}  // namespace vit
