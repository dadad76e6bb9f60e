#include "infer/class_match.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>

#include "vit/core/error.h"

namespace vit {
namespace {

std::map<std::string, int32_t> places_of(const std::vector<std::string>& names) {
  std::map<std::string, int32_t> places;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!places.emplace(names[i], static_cast<int32_t>(i)).second)
      fail(ErrorKind::data, "[classes] two classes are named '", names[i], "', so names cannot tell them apart");
  return places;
}

}  // namespace

ClassMatch match_names(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  ClassMatch match{.places = std::vector<int32_t>(from.size(), -1), .missing = {}, .unused = {}};
  if (from == to) {
    std::iota(match.places.begin(), match.places.end(), 0);
    return match;
  }
  const auto from_places = places_of(from), to_places = places_of(to);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto found = to_places.find(from[i]);
    if (found == to_places.end())
      match.missing.push_back(from[i]);
    else
      match.places[i] = found->second;
  }
  std::copy_if(to.begin(), to.end(), std::back_inserter(match.unused),
               [&](const std::string& name) { return !from_places.contains(name); });
  return match;
}

std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 3;
  if (names.empty()) return "none";
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, names.size()); ++i) text += concat(i > 0 ? ", '" : "'", names[i], "'");
  return names.size() > kNamed ? concat(text, " and ", names.size() - kNamed, " more") : text;
}

}  // namespace vit
