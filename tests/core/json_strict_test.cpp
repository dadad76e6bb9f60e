#include "vit/core/json_strict.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/caught_error.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;

std::string fault_of(const std::string& text) {
  return error_of(ErrorKind::data, [&] { parse_strict_json(text, "config", "a.json"); });
}

TEST(StrictJson, ReadsWhatTheParserReads) {
  const auto json = parse_strict_json(R"({"a": {"x": 1, "y": [{"x": 2}, {"x": 3}]}, "b": {"x": -4.5e3}})", "t", "w");
  EXPECT_EQ(json["a"]["y"][1]["x"], 3);
  EXPECT_EQ(json["b"]["x"], -4500.0);
  EXPECT_EQ(parse_strict_json("[1]", "t", "w")[0], 1);
}

TEST(StrictJson, NamesADoubledField) {
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "b": {"c": 1, "c": 1}})"), {"[config]", "b/c", "twice", "a.json"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": [{"c": {}}, {"c": 1, "d": 2, "c": 3}]})"), {"a/c", "twice"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "\u0061": 2})"), {"'a'", "twice"}));
  EXPECT_TRUE(holds(fault_of("{\"x\\n\": 1, \"x\\n\": 2}"), {"x\\x0A", "twice"}));
}

TEST(StrictJson, NamesTheFieldOfWhatIsNoNumberOrNoJson) {
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "b": {"eps": 1e400}})"), {"b/eps", "beyond all numbers"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "eps": NaN})"), {"eps", "is not JSON", "a.json"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "eps": 0x10})"), {"eps", "is not JSON"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": 1, "eps": 1.})"), {"eps", "is not JSON"}));
  EXPECT_TRUE(holds(fault_of(R"({"a": 1)"), {"'a'", "is not JSON"}));
  EXPECT_TRUE(holds(fault_of("{} {}"), {"is not JSON", "byte"}));
  EXPECT_TRUE(holds(fault_of(""), {"is not JSON"}));
  EXPECT_TRUE(holds(fault_of("{\"a\": \"\xff\"}"), {"'a'", "is not JSON"}));
}

TEST(StrictJson, RefusesDepth) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_NO_THROW(parse_strict_json(nested(64), "t", "w"));
  EXPECT_TRUE(holds(fault_of(nested(65)), {"nests too deep", "a.json"}));
  EXPECT_TRUE(holds(fault_of(std::string(1 << 20, '[')), {"nests too deep"}));
}

}  // namespace
}  // namespace vit
