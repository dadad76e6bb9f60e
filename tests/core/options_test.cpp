// Words, ranges, faults, JSON fields and tables of options: what all options are read and checked with.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "vit/core/dtype_words.h"
#include "vit/core/error.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"

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

struct Sample {
  int64_t count = 3;
  uint64_t seed = 0;
  float rate = 0.1f;
  bool flag = false;
  std::string text = "a";
  DType dtype = DType::f32;
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f};
  int64_t newer = 0;
  std::string part = "one";
};

std::vector<std::string> part_words() { return {"one", "two"}; }

constexpr OptionField<Sample> kSample[] = {
    {.name = "count", .member = kMember<&Sample::count>, .range = Range{1, 9}, .stored = Stored::required},
    {.name = "seed", .member = kMember<&Sample::seed>},
    {.name = "rate", .member = kMember<&Sample::rate>, .range = kZeroToOne},
    {.name = "flag", .member = kMember<&Sample::flag>},
    {.name = "text", .member = kMember<&Sample::text>},
    {.name = "dtype", .member = kMember<&Sample::dtype>},
    {.name = "mean", .member = kMember<&Sample::mean>, .range = kZeroToOne, .cause = "in 0..255?"},
    {.name = "newer", .member = kMember<&Sample::newer>, .range = Range{0, 9}, .stored = Stored::changed},
    {.name = "part", .member = kMember<&Sample::part>, .stored = Stored::changed, .words = part_words},
};
const OptionTable<Sample> kTable = kSample;

Sample read_sample(const nlohmann::json& json) {
  Sample sample;
  read_options(kTable, JsonFields(json, "sample", "a.json"), sample);
  return sample;
}

TEST(OptionTable, WritesEachFieldAndReadsItBack) {
  const Sample sample{.count = 5,
                      .seed = 18446744073709551615u,
                      .rate = 0.3f,
                      .flag = true,
                      .text = "b",
                      .dtype = DType::bf16,
                      .mean = {0.1f, 0.2f, 0.3f},
                      .newer = 7};
  const nlohmann::json json = options_json(kTable, sample);
  EXPECT_EQ(json.dump(), R"({"count":5,"dtype":"bf16","flag":true,"mean":[0.1,0.2,0.3],"newer":7,"rate":0.3,)"
                         R"("seed":18446744073709551615,"text":"b"})");
  EXPECT_EQ(options_json(kTable, read_sample(json)), json);
}

TEST(OptionTable, NewerFieldsAreWrittenWhereTheyDiffer) {
  EXPECT_FALSE(options_json(kTable, Sample{}).contains("newer"));
  EXPECT_TRUE(all_options_json(kTable, Sample{}).contains("newer"));
  EXPECT_EQ(option_names(kTable).back(), "part");
}

TEST(OptionTable, AbsentFieldsKeepTheirValueUnlessTheyAreRequired) {
  EXPECT_EQ(read_sample({{"count", 4}}).rate, 0.1f);
  EXPECT_EQ(message_of(ErrorKind::data,
                       [] {
                         read_sample({{"rate", 0.5}});
                       }),
            "[sample] field 'count' is missing (a.json)");
}

TEST(OptionTable, OtherTypesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {{"count", "1.5"}, {"seed", "-1"},        {"rate", "true"},
                                                       {"flag", "1"},    {"text", "0"},         {"dtype", "\"fp16\""},
                                                       {"mean", "[0]"},  {"mean", "[0,0,\"\"]"}};
  for (const auto& [name, value] : cases) {
    nlohmann::json json = options_json(kTable, Sample{});
    json[name] = nlohmann::json::parse(value);
    const std::string message = message_of(ErrorKind::data, [&] { read_sample(json); });
    EXPECT_EQ(message.find(concat("[sample] ", name, ": needs ")), 0u) << message;
  }
}

TEST(OptionTable, AllNumbersOutOfRangeAreTold) {
  Faults faults;
  check_options(kTable, {.count = 0, .rate = std::nanf(""), .mean = {0, 2, 0}, .newer = 10}, faults);
  EXPECT_EQ(
      message_of(ErrorKind::usage, [&] { faults.raise(ErrorKind::usage, "sample"); }),
      "[sample] count: needs 1 to 9, has 0; rate: needs 0 to 1, has nan; mean[1]: needs 0 to 1, has 2; in 0..255?; "
      "newer: needs 0 to 9, has 10");
}

TEST(OptionTable, ChoicesAreTheWordsOfTheEnumOrOfTheRow) {
  EXPECT_EQ(kSample[5].choices(), (std::vector<std::string>{"fp32", "bf16", "int8"}));
  OptionField<Sample> row = kSample[5];
  row.unit = "fp32|bf16";
  EXPECT_EQ(row.choices(), (std::vector<std::string>{"fp32", "bf16"}));
  EXPECT_EQ(kSample[8].choices(), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(kSample[0].choices().empty());
}

TEST(OptionTable, ATextThatNamesAPartIsOneOfItsWords) {
  EXPECT_EQ(read_sample({{"count", 4}, {"part", "two"}}).part, "two");
  EXPECT_EQ(message_of(ErrorKind::data,
                       [] {
                         read_sample({{"count", 4}, {"part", "three"}});
                       }),
            "[sample] part: needs one of one, two, has \"three\" (a.json)");
}

}  // namespace
}  // namespace vit
