#include "vit/io/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace vit {
namespace {

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string xxh64(std::string_view text) {
  Xxh64 hash;
  hash.add(bytes(text));
  return hash.hex();
}

// Published test vectors of the algorithm.
// From the comments of lookup3.c (driver5), which is in the public domain.
TEST(Lookup3, MatchesPublishedVectors) {
  const auto sum = [](std::string_view text) {
    return lookup3({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(sum(""), 0xdeadbeefu);
  EXPECT_EQ(sum("Four score and seven years ago"), 0x17770551u);
}

TEST(Xxh64, MatchesPublishedVectors) {
  EXPECT_EQ(xxh64(""), "ef46db3751d8e999");
  EXPECT_EQ(xxh64("a"), "d24ec4f1a98c6e5b");
  EXPECT_EQ(xxh64("abc"), "44bc2cf5ad770999");
  EXPECT_EQ(xxh64("Nobody inspects the spammish repetition"), "fbcea83c8a378bf1");
}

TEST(Xxh64, DoesNotDependOnThePieces) {
  std::vector<uint8_t> data(500);
  std::iota(data.begin(), data.end(), uint8_t{3});
  Xxh64 whole;
  whole.add(data);
  for (std::size_t step : {1u, 7u, 31u, 32u, 33u, 100u}) {
    Xxh64 pieces;
    for (std::size_t i = 0; i < data.size(); i += step)
      pieces.add(std::span(data).subspan(i, std::min(step, data.size() - i)));
    EXPECT_EQ(pieces.digest(), whole.digest()) << "pieces of " << step;
  }
}

TEST(Xxh64, NumbersAreLittleEndian) {
  Xxh64 numbers;
  numbers.add_u32(0x04030201);
  numbers.add_u64(0x0c0b0a0908070605);
  EXPECT_EQ(numbers.hex(), xxh64("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"));
}

// The sum from its definition, one word at a time.
uint32_t fletcher32_by_definition(const std::vector<uint8_t>& data) {
  uint64_t plain = 0;
  uint64_t weighted = 0;
  const auto reduce = [](uint64_t sum) { return sum == 0 ? 0 : (sum - 1) % 65535 + 1; };
  for (std::size_t i = 0; i < data.size(); i += 2) {
    const unsigned low = i + 1 < data.size() ? data[i + 1] : 0u;
    plain = reduce(plain + 256u * data[i] + low);
    weighted = reduce(weighted + plain);
  }
  return static_cast<uint32_t>(weighted << 16 | plain);
}

TEST(Fletcher32, HandComputed) {
  EXPECT_EQ(fletcher32({}), 0u);
  EXPECT_EQ(fletcher32(bytes(std::string_view("\0\0\0\0", 4))), 0u);
  EXPECT_EQ(fletcher32(bytes("\x01\x02")), 0x01020102u);
  EXPECT_EQ(fletcher32(bytes("\x01\x02\x03")), 0x05040402u);  // 0102 + 0300; 0102 + 0402
  EXPECT_EQ(fletcher32(bytes("\xff\xff")), 0xffffffffu);      // 65535 stays 65535, not 0
  EXPECT_EQ(fletcher32(bytes("\xff\xff\xff\xff")), 0xffffffffu);
}

TEST(Fletcher32, MatchesItsDefinitionForAllBlockSizes) {
  std::vector<uint8_t> data;
  uint32_t state = 1;
  for (std::size_t size : {1u, 2u, 31u, 32u, 8191u, 8192u, 8193u, 16384u, 100001u, 1048577u}) {
    while (data.size() < size) data.push_back(static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24));
    EXPECT_EQ(fletcher32(data), fletcher32_by_definition(data)) << size << " bytes";
  }
  const std::vector<uint8_t> largest(1 << 20, 0xff);
  EXPECT_EQ(fletcher32(largest), fletcher32_by_definition(largest));
}

}  // namespace
}  // namespace vit
