#include "tests/fuzz/target.h"

#include <algorithm>
#include <iterator>

namespace vit::fuzz {

const Target* find_target(std::string_view name) {
  const Target* found =
      std::find_if(std::begin(kTargets), std::end(kTargets), [&](const Target& target) { return target.name == name; });
  return found == std::end(kTargets) ? nullptr : found;
}

void expect(bool holds, std::string_view what) {
  if (!holds) fail(ErrorKind::internal, "[fuzz] does not hold: ", what);
}

}  // namespace vit::fuzz
