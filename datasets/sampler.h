// Which pictures come when: the order of an epoch depends on (seed, epoch) alone.
#pragma once

#include <cstdint>
#include <vector>

namespace vit {

/// A permutation of [0, count) by (seed, epoch).
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

/// 0, 1, ... count - 1.
std::vector<int64_t> file_order(int64_t count);

}  // namespace vit
