#include "infer/text_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vit {
namespace {

TEST(CsvField, IsQuotedOnlyWhenNeeded) {
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  EXPECT_EQ(csv_field("\r"), "\"\r\"");
}

TEST(Numbers, AreShortestThatReadsBack) {
  EXPECT_EQ(shortest(0.1f), "0.1");
  EXPECT_EQ(shortest(1.0f / 3), "0.33333334");
  EXPECT_EQ(nlohmann::json(json_number(0.1f)).dump(), "0.1");
  for (float x : {1e-30f, 0.7f, 123456.78f, -3.4e38f}) EXPECT_EQ(static_cast<float>(json_number(x)), x);
}

TEST(Numbers, FixedAndPercent) {
  EXPECT_EQ(fixed(3.14159, 2), "3.14");
  EXPECT_EQ(percent(0.98764), "98.76 %");
  EXPECT_EQ(percent(1, 0), "100 %");
}

TEST(Padding, CountsCodePoints) {
  EXPECT_EQ(display_width("caf\xc3\xa9"), 4);
  EXPECT_EQ(pad_right("caf\xc3\xa9", 6), "caf\xc3\xa9  ");
  EXPECT_EQ(pad_left("ab", 4), "  ab");
  EXPECT_EQ(pad_left("abcdef", 4), "abcdef");
}

TEST(CsvText, IsOneLineOfUtf8) {
  EXPECT_EQ(csv_text("a\nb\x1b[31m,\tc"), "\"a\\x0Ab\\x1B[31m,\\x09c\"");
  EXPECT_EQ(csv_text("caf\xe9"), "caf\\xE9");
}

}  // namespace
}  // namespace vit
