#include "datasets/sampler.h"

#include <numeric>
#include <utility>

#include "vit/core/error.h"
#include "vit/core/rng.h"

namespace vit {

std::vector<int64_t> file_order(int64_t count) {
  if (count < 0) fail(ErrorKind::usage, "[sampler] count: needs 0 or more, has ", count);
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order = file_order(count);
  RandomStream random(seed, RandomPurpose::shuffle, static_cast<uint64_t>(epoch));
  for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

}  // namespace vit
