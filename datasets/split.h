// Takes validation pictures out of train where the source has none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vit {

/// One flag a picture: true for round(fraction * n) of the n pictures of each class (half is rounded up), but at most
/// n - 1, so that each class keeps one; chosen by (seed, class) alone. Labels are 0 .. classes-1. Throws Error (usage)
/// unless 0 <= fraction < 1.
std::vector<bool> choose_validation(std::span<const int32_t> labels, int64_t classes, double fraction, uint64_t seed);

}  // namespace vit
