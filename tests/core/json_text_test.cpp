#include "vit/core/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace vit {
namespace {

std::string nested(std::size_t levels, const char* open, const char* close) {
  std::string text;
  for (std::size_t i = 0; i < levels; ++i) text += open;
  text += "1";
  for (std::size_t i = 0; i < levels; ++i) text += close;
  return text;
}

TEST(JsonText, IsParsedOrDiscarded) {
  EXPECT_EQ(parse_json_text(R"({"a": [1, "\\", "\"[[", {"b": null}]})").at("a").size(), 4u);
  EXPECT_EQ(parse_json_text("3"), 3);
  for (const char* bad : {"", "[", "{1", "\"", "\"\\", "nul", "]["})
    EXPECT_TRUE(parse_json_text(bad).is_discarded()) << bad;
}

TEST(JsonText, LevelsHaveAnEnd) {
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    EXPECT_FALSE(parse_json_text(nested(kMostJsonLevels, open, close)).is_discarded());
    EXPECT_TRUE(parse_json_text(nested(kMostJsonLevels + 1, open, close)).is_discarded());
    EXPECT_TRUE(parse_json_text(nested(300000, open, close)).is_discarded());
    EXPECT_TRUE(parse_json_text(nested(300000, open, "")).is_discarded());
  }
  // Brackets in a text, and one behind the other, are no levels.
  EXPECT_FALSE(parse_json_text('"' + std::string(1000, '[') + '"').is_discarded());
  std::string row = "[[]";
  for (int i = 0; i < 1000; ++i) row += ",[]";
  EXPECT_EQ(parse_json_text(row + "]").size(), 1001u);
}

}  // namespace
}  // namespace vit
