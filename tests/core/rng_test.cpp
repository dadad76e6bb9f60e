#include "vit/core/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

#include "vit/core/name_hash.h"

namespace vit {
namespace {

// The known answers of Random123's own test file for philox4x32-10.
TEST(Philox, KnownAnswers) {
  const auto ones = 0xffffffffu;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DependsOnEveryPartOfTheKey) {
  std::set<uint64_t> firsts;
  const uint64_t big = uint64_t{1} << 40;
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, big})
    for (RandomPurpose purpose : {RandomPurpose::init, RandomPurpose::shuffle})
      for (uint64_t a : {uint64_t{0}, uint64_t{1}, big})
        for (uint64_t b : {uint64_t{0}, uint64_t{1}, big}) firsts.insert(RandomStream(seed, purpose, a, b).next_u64());
  EXPECT_EQ(firsts.size(), 54u);
}

TEST(RandomStream, BelowIsEvenAndBounded) {
  RandomStream random(1, RandomPurpose::test);
  std::array<int, 7> counts{};
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.below(7));
  // 10,000 expected a bin, standard deviation 93: six of them.
  for (int count : counts) EXPECT_NEAR(count, kDraws / 7, 560);
}

TEST(RandomStream, Moments) {
  RandomStream random(2, RandomPurpose::test);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, cut = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = static_cast<double>(random.normal());
    sum += x;
    squares += x * x;
    const double t = static_cast<double>(random.truncated_normal(0.02f));
    EXPECT_LE(std::abs(t), 0.04 + 1e-9);
    cut += t * t;
    const float u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.02);
  EXPECT_NEAR(squares / kDraws, 1, 0.03);
  // Variance of a normal cut at two deviations: 0.7737.
  EXPECT_NEAR(cut / kDraws / 0.0004, 0.7737, 0.02);
}

// From the test vectors of the authors (isthe.com/chongo/tech/comp/fnv).
TEST(NameHash, IsFnv1a) {
  EXPECT_EQ(name_hash<uint32_t>(""), 0x811C9DC5u);
  EXPECT_EQ(name_hash<uint32_t>("a"), 0xE40C292Cu);
  EXPECT_EQ(name_hash<uint32_t>("foobar"), 0xBF9CF968u);
  EXPECT_EQ(name_hash<uint64_t>(""), 0xCBF29CE484222325u);
  EXPECT_EQ(name_hash<uint64_t>("a"), 0xAF63DC4C8601EC8Cu);
  EXPECT_EQ(name_hash<uint64_t>("foobar"), 0x85944171F73967E8u);
}

}  // namespace
}  // namespace vit
