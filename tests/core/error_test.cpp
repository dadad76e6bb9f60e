#include "vit/core/error.h"

#include <gtest/gtest.h>

#include <locale>

namespace vit {
namespace {

/// As many countries write them.
struct CommaPoints : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Concat, WritesNumbersAlikeInAllLocales) {
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new CommaPoints));
  const std::string text = concat("blocks.", 1234567, ' ', 0.5);
  std::locale::global(before);
  EXPECT_EQ(text, "blocks.1234567 0.5");
}

}  // namespace
}  // namespace vit
