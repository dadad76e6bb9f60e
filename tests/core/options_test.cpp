// Words, ranges, faults and JSON fields: what all options are read and checked with.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "vit/core/dtype_words.h"
#include "vit/core/error.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"

namespace vit {
namespace {

template <class Call>
std::string message_of(ErrorKind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Words, GoBothWays) {
  for (const auto& word : words_of<DType>()) {
    EXPECT_EQ(word_of(word.value), word.word);
    EXPECT_EQ(find_word<DType>(word.word), word.value);
  }
  EXPECT_EQ(find_word<DType>("fp16"), std::nullopt);
  EXPECT_EQ(word_list<DType>("|"), "fp32|bf16|int8");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { parse_word<DType>("fp16", "dtype"); }),
            "[dtype] needs one of fp32, bf16, int8, has 'fp16'");
  message_of(ErrorKind::internal, [] { word_of(static_cast<DType>(9)); });
}

TEST(Ranges, HoldTheirEndsAndNoNan) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(kZeroToOne.contains(0) && kZeroToOne.contains(1));
  EXPECT_TRUE(kZeroToBelowOne.contains(0) && !kZeroToBelowOne.contains(1));
  EXPECT_TRUE(kAboveZero.contains(1e-30) && !kAboveZero.contains(0));
  EXPECT_TRUE(kAtLeastZero.contains(0) && !kAtLeastZero.contains(-1e-30));
  for (const Range& range : {kZeroToOne, kZeroToBelowOne, kAboveZero, kAtLeastZero})
    for (const double bad : {nan, infinity, -infinity}) EXPECT_FALSE(range.contains(bad)) << range.text() << bad;
  EXPECT_EQ(kZeroToBelowOne.text(), "0 to below 1");
  EXPECT_EQ(kAboveZero.text(), "a number above 0");
  EXPECT_EQ(kAtLeastZero.text(), "at least 0");
  EXPECT_EQ((Range{1, 1 << 30}.text()), "1 to 1073741824");
}

TEST(Faults, AreToldTogether) {
  Faults faults;
  faults.raise(ErrorKind::usage, "nothing");
  faults.range("a", 3, {0, 2});
  faults.range("b", 1.0f, {0, 2});
  faults.collect([] { fail(ErrorKind::data, "c is wrong"); });
  EXPECT_EQ(message_of(ErrorKind::data, [&] { faults.raise(ErrorKind::data, "options", "file"); }),
            "[options] a: needs 0 to 2, has 3; c is wrong (file)");
}

TEST(JsonFields, NameFieldAndFile) {
  const nlohmann::json json = {{"count", -1}, {"number", "x"}, {"huge", 1e300}, {"nothing", nullptr}};
  const JsonFields fields(json, "record", "a.h5");
  EXPECT_EQ(message_of(ErrorKind::data, [&] { fields.count("count"); }),
            "[record] count: needs a whole number of at least 0, has -1 (a.h5)");
  EXPECT_EQ(message_of(ErrorKind::data, [&] { fields.real("number"); }),
            "[record] number: needs a number, has \"x\" (a.h5)");
  EXPECT_EQ(fields.number("huge"), std::numeric_limits<float>::infinity());
  EXPECT_EQ(fields.optional_real("nothing"), std::nullopt);
  message_of(ErrorKind::data, [&] { fields.word<DType>("number"); });
}

TEST(ParseJson, TellsOtherTextFromNumbersBeyondAll) {
  EXPECT_NE(message_of(ErrorKind::data, [] { parse_json("{", "config", "a.json"); }).find("a.json"), std::string::npos);
  EXPECT_NE(message_of(ErrorKind::usage, [] { parse_json("[1e400]", "config", "a.json"); }).find("1e400"),
            std::string::npos);
}

}  // namespace
}  // namespace vit
