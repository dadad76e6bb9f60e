#include "datasets/split.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "vit/core/error.h"
#include "vit/core/rng.h"

namespace vit {

std::vector<bool> choose_validation(std::span<const int32_t> labels, int64_t classes, double fraction, uint64_t seed) {
  if (!(fraction >= 0 && fraction < 1))
    fail(ErrorKind::usage, "[split] fraction for validation: needs 0 <= f < 1, has ", fraction);
  std::vector<std::vector<size_t>> members(static_cast<size_t>(classes));
  for (size_t i = 0; i < labels.size(); ++i) members.at(static_cast<size_t>(labels[i])).push_back(i);

  std::vector<bool> chosen(labels.size(), false);
  for (size_t c = 0; c < members.size(); ++c) {
    std::vector<size_t>& of_class = members[c];
    if (of_class.empty()) continue;
    const auto share = static_cast<size_t>(std::lround(fraction * static_cast<double>(of_class.size())));
    const size_t count = std::min(share, of_class.size() - 1);
    RandomStream random(seed, RandomPurpose::split, c);
    for (size_t k = 0; k < count; ++k) {  // the first steps of a Fisher-Yates shuffle
      std::swap(of_class[k], of_class[k + random.below(of_class.size() - k)]);
      chosen[of_class[k]] = true;
    }
  }
  return chosen;
}

}  // namespace vit
