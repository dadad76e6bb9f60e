#include "datasets/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/caught_error.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;

/// 7 of class 0, 26 of class 1, 3 of class 2, mixed.
std::vector<int32_t> labels() {
  std::vector<int32_t> result;
  for (int i = 0; i < 36; ++i) result.push_back(i % 5 == 0 && i < 35 ? 0 : i % 9 == 1 ? 2 : 1);
  return result;
}

std::vector<int64_t> count(const std::vector<int32_t>& labels, const std::vector<bool>& chosen, bool which) {
  std::vector<int64_t> counts(3, 0);
  for (size_t i = 0; i < labels.size(); ++i)
    if (chosen[i] == which) ++counts[static_cast<size_t>(labels[i])];
  return counts;
}

TEST(ChooseValidation, TakesTheRoundedShareOfEachClass) {
  const auto all = labels();
  ASSERT_EQ(count(all, std::vector<bool>(all.size(), true), true), (std::vector<int64_t>{7, 26, 3}));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(count(all, choose_validation(all, 3, 0.1, seed), true), (std::vector<int64_t>{1, 3, 0}));
    EXPECT_EQ(count(all, choose_validation(all, 3, 0.5, seed), true), (std::vector<int64_t>{4, 13, 2}));
    EXPECT_EQ(count(all, choose_validation(all, 3, 0.0, seed), true), (std::vector<int64_t>{0, 0, 0}));
  }
}

TEST(ChooseValidation, LeavesEachClassAPicture) {
  const std::vector<int32_t> few{0, 1, 1, 2, 2, 2};
  for (const double fraction : {0.5, 0.7, 0.99})
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const auto kept = count(few, choose_validation(few, 3, fraction, seed), false);
      for (size_t c = 0; c < 3; ++c) EXPECT_GE(kept[c], 1) << fraction << " class " << c;
      EXPECT_EQ(kept[0], 1);
    }
}

TEST(ChooseValidation, DependsOnSeedAndClassAlone) {
  const auto all = labels();
  const auto chosen = choose_validation(all, 3, 0.3, 5);
  EXPECT_EQ(chosen, choose_validation(all, 3, 0.3, 5));
  EXPECT_NE(chosen, choose_validation(all, 3, 0.3, 6));

  // Without the pictures of class 0, the same ones of the other classes are chosen.
  std::vector<int32_t> fewer;
  std::vector<bool> expected;
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i] != 0) {
      fewer.push_back(all[i]);
      expected.push_back(chosen[i]);
    }
  EXPECT_EQ(choose_validation(fewer, 3, 0.3, 5), expected);
}

TEST(ChooseValidation, EveryPictureHasTheSameChance) {
  constexpr int kPictures = 40;
  constexpr int kDraws = 4000;
  const std::vector<int32_t> one_class(kPictures, 0);
  std::vector<int> times(kPictures, 0);
  for (uint64_t seed = 0; seed < kDraws; ++seed) {
    const auto chosen = choose_validation(one_class, 1, 0.25, seed);
    for (size_t i = 0; i < chosen.size(); ++i) times[i] += chosen[i] ? 1 : 0;
  }
  const double deviation = std::sqrt(kDraws * 0.25 * 0.75);
  for (const int t : times) EXPECT_NEAR(t, kDraws * 0.25, 5 * deviation);
}

TEST(ChooseValidation, RefusesFractionsOutOfRange) {
  for (const double fraction : {-0.1, 1.0, std::nan("")})
    EXPECT_TRUE(holds(error_of(ErrorKind::usage, [&] { choose_validation(labels(), 3, fraction, 0); }), {"fraction"}));
}

}  // namespace
}  // namespace vit
