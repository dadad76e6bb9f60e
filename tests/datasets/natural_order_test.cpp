#include "datasets/natural_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vit {
namespace {

TEST(NaturalOrder, CountsAsPeopleDo) {
  const std::vector<std::string> sorted{
      "",   "1",   "01",  "2", "9",   "10", "11a", "11b", "100", "18446744073709551616",
      "A1", "A02", "A10", "a", "a-1", "a1", "a1b", "a2",  "b",   "\xc3\xa9"};
  std::vector<std::string> names(sorted.rbegin(), sorted.rend());
  std::sort(names.begin(), names.end(), natural_less);
  std::vector<std::string> expected = sorted;
  std::swap(expected[1], expected[2]);  // equal numbers: by bytes, "01" before "1"
  EXPECT_EQ(names, expected);
}

TEST(NaturalOrder, IsAStrictTotalOrder) {
  const std::vector<std::string> names{"",  "0",  "00",  "0a",  "00a",  "1",  "01",
                                       "a", "a0", "a00", "a0b", "a00b", "b1", "-"};
  for (const auto& a : names)
    for (const auto& b : names) {
      EXPECT_EQ(natural_less(a, b) + natural_less(b, a), a == b ? 0 : 1) << a << " | " << b;
      for (const auto& c : names)
        EXPECT_TRUE(!natural_less(a, b) || !natural_less(b, c) || natural_less(a, c)) << a << " | " << b << " | " << c;
    }
}

TEST(NaturalOrder, PathsGoFolderByFolder) {
  const std::vector<std::string> sorted{"a", "a/2/x", "a/10/x", "a/10/x2", "a-b/1", "b"};
  std::vector<std::string> paths(sorted.rbegin(), sorted.rend());
  std::sort(paths.begin(), paths.end(), natural_path_less);
  EXPECT_EQ(paths, sorted);
  EXPECT_FALSE(natural_path_less("a/b", "a/b"));
}

}  // namespace
}  // namespace vit
