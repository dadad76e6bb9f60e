#include "vit/core/text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "vit/core/json_text.h"
#include "vit/core/rng.h"

namespace vit {
namespace {

using namespace std::string_literals;

/// What docs/formats.md tells readers to do: each \xHH is that byte.
std::string bytes_again(const std::string& text) {
  const auto hex = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x' && hex(text[i + 2]) >= 0 &&
        hex(text[i + 3]) >= 0) {
      bytes += static_cast<char>(hex(text[i + 2]) * 16 + hex(text[i + 3]));
      i += 3;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

TEST(Printable, LeavesTextAsItIs) {
  for (const std::string text : {"", "cat", "\xc3\xa9lan", "\xe3\x82\xbd\xe3\x83\xbc\xe3\x82\xb9", "\xf0\x9f\x90\x88",
                                 "a,b\"c'<d>&e", "C:\\xml\\new", "\\", "\\x", "\\xe9", "\\x4"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("caf\xe9"), "caf\\xE9");
  EXPECT_EQ(printable("\x83\x5c\x81x"), "\\x83\\\\x81x");  // Shift JIS
  EXPECT_EQ(printable("\xc3"), "\\xC3");                   // cut off
  EXPECT_EQ(printable("\xc0\xaf"), "\\xC0\\xAF");          // longer than needed
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xE0\\x80\\xAF");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xED\\xA0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xf8\x88\x80\x80\x80"), "\\xF8\\x88\\x80\\x80\\x80");
}

TEST(Printable, ShowsControlCharacters) {
  EXPECT_EQ(printable("a\nb\x1b[31m\tc\r\0\x7f"s), "a\\x0Ab\\x1B[31m\\x09c\\x0D\\x00\\x7F");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xC2\\x9B");           // CSI as one character
  EXPECT_EQ(printable("\xc2\xa0"), "\xc2\xa0");             // the first that is none
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xE2\\x80\\xA8");  // line separator
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xE2\\x80\\xAE");  // right to left from here
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xE2\\x81\\xA6");
}

TEST(Printable, LeavesWhatAMessageHasEscaped) { EXPECT_EQ(printable_message("a\\xE9\n\xe9\\"), "a\\xE9\\x0A\\xE9\\"); }

TEST(Printable, CanBeTurnedBack) {
  EXPECT_EQ(printable("\\xE9"), "\\x5CxE9");
  EXPECT_EQ(printable("\\\\xE9"), "\\\\x5CxE9");
  const std::string alphabet = "\\x5CE9a\n\xc3\xa9\xe2\x80\xa8\xff";
  RandomStream random(1, RandomPurpose::test);
  for (int n = 0; n < 20000; ++n) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += alphabet[random.below(alphabet.size())];
    const std::string text = printable(bytes);
    ASSERT_EQ(bytes_again(text), bytes) << text;
    ASSERT_EQ(nlohmann::json::parse(nlohmann::json(text).dump()).get<std::string>(), text);  // UTF-8
  }
}

TEST(JsonText, NeverFails) {
  const nlohmann::json json = {{"name", "caf\xe9"}, {"n", 1}};
  EXPECT_EQ(json_text(json), "{\"n\":1,\"name\":\"caf\xef\xbf\xbd\"}");
  EXPECT_EQ(json_text(json, 1), "{\n \"n\": 1,\n \"name\": \"caf\xef\xbf\xbd\"\n}");
}

TEST(JsonText, HoldsNoControlCharacter) {
  EXPECT_EQ(json_text(nlohmann::json("a\n\x1b\x7f\xc2\x9b\xe2\x80\xa8\xc3\xa9")),
            "\"a\\n\\u001b\\u007f\\u009b\\u2028\xc3\xa9\"");
}

}  // namespace
}  // namespace vit
