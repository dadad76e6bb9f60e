#include "datasets/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace vit {
namespace {

TEST(Sampler, FileOrderCounts) {
  EXPECT_EQ(file_order(3), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_TRUE(file_order(0).empty());
}

TEST(Sampler, EpochOrderIsAPermutation) {
  for (const int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<int64_t> order = epoch_order(count, 3, 4);
    EXPECT_EQ(order, epoch_order(count, 3, 4));
    if (count == 1000) {
      EXPECT_NE(order, file_order(count));
      EXPECT_NE(order, epoch_order(count, 3, 5));
      EXPECT_NE(order, epoch_order(count, 4, 4));
    }
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, file_order(count));
  }
}

TEST(Sampler, AllPermutationsAreEquallyLikely) {
  constexpr int kDraws = 12'000;
  std::map<std::vector<int64_t>, int> times;
  for (int64_t epoch = 0; epoch < kDraws; ++epoch) ++times[epoch_order(4, 1, epoch)];
  ASSERT_EQ(times.size(), 24u);
  for (const auto& [order, n] : times) EXPECT_NEAR(n, kDraws / 24, 5 * std::sqrt(kDraws / 24.0));
}

}  // namespace
}  // namespace vit
