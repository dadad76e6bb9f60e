#include "infer/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "infer/classifier.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using Json = nlohmann::json;

Json golden_cases() {
  std::ifstream in(VIT_SOURCE_DIR "/tests/infer/metrics_golden.json");
  return Json::parse(in).at("cases");
}

void expect_rates(const Json& want, const Scores& scores, double ClassScore::*rate) {
  ASSERT_EQ(want.size(), scores.classes.size());
  for (std::size_t c = 0; c < want.size(); ++c) EXPECT_NEAR(scores.classes[c].*rate, want[c].get<double>(), 1e-12) << c;
}

TEST(Metrics, AreThoseOfScikitLearn) {
  const Json cases = golden_cases();
  ASSERT_EQ(cases.size(), 3u);
  for (const Json& want : cases) {
    SCOPED_TRACE(want.at("name").get<std::string>());
    const auto labels = want.at("labels").get<std::vector<int32_t>>();
    const auto predicted = want.at("predicted").get<std::vector<int32_t>>();
    const Scores scores = score(labels, predicted, want.at("classes"));
    EXPECT_EQ(scores.images, static_cast<int64_t>(labels.size()));
    EXPECT_NEAR(scores.accuracy, want.at("accuracy"), 1e-12);
    expect_rates(want.at("precision"), scores, &ClassScore::precision);
    expect_rates(want.at("recall"), scores, &ClassScore::recall);
    expect_rates(want.at("f1"), scores, &ClassScore::f1);
    for (std::size_t c = 0; c < scores.classes.size(); ++c)
      EXPECT_EQ(scores.classes[c].images, want.at("support")[c].get<int64_t>());
    EXPECT_NEAR(scores.macro_precision, want.at("macro")[0], 1e-12);
    EXPECT_NEAR(scores.macro_recall, want.at("macro")[1], 1e-12);
    EXPECT_NEAR(scores.macro_f1, want.at("macro")[2], 1e-12);
    std::vector<int64_t> confusion;
    for (const Json& row : want.at("confusion"))
      for (const Json& count : row) confusion.push_back(count);
    EXPECT_EQ(scores.confusion, confusion);
  }
}

TEST(Metrics, RanksAreThoseOfScikitLearn) {
  for (const Json& want : golden_cases()) {
    SCOPED_TRACE(want.at("name").get<std::string>());
    const auto labels = want.at("labels").get<std::vector<int32_t>>();
    int64_t first = 0;
    int64_t in_two = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto logits = want.at("logits")[i].get<std::vector<float>>();
      const int64_t rank = rank_of(logits, labels[i]);
      first += rank == 0 ? 1 : 0;
      in_two += rank < 2 ? 1 : 0;
      const auto best = top_predictions(logits.data(), want.at("classes"), 1, {});
      EXPECT_EQ(best.front().index, want.at("predicted")[i].get<int64_t>());
    }
    const auto images = static_cast<double>(labels.size());
    EXPECT_NEAR(static_cast<double>(first) / images, want.at("accuracy"), 1e-12);
    EXPECT_NEAR(static_cast<double>(in_two) / images, want.at("top2"), 1e-12);
  }
}

TEST(Metrics, RankOfEqualLogitsIsByIndex) {
  const std::vector<float> logits{1, 3, 3, 2};
  EXPECT_EQ(rank_of(logits, 1), 0);
  EXPECT_EQ(rank_of(logits, 2), 1);
  EXPECT_EQ(rank_of(logits, 3), 2);
  EXPECT_EQ(rank_of(logits, 0), 3);
}

TEST(Metrics, RefusesWhatIsNoClass) {
  const std::vector<int32_t> good{0, 1};
  EXPECT_THROW(score(good, std::vector<int32_t>{0, 2}, 2), Error);
  EXPECT_THROW(score(std::vector<int32_t>{-1, 0}, good, 2), Error);
  EXPECT_THROW(score(good, std::vector<int32_t>{0}, 2), Error);
  EXPECT_THROW(score({}, {}, 0), Error);
}

TEST(Metrics, OfNothingAreZero) {
  const Scores scores = score({}, {}, 3);
  EXPECT_EQ(scores.images, 0);
  EXPECT_EQ(scores.accuracy, 0);
  EXPECT_EQ(scores.macro_f1, 0);
}

TEST(TopPredictions, AreSoftmaxBestFirst) {
  // exp(2), exp(1), exp(0) over their sum 11.107...
  const std::vector<float> logits{0, 2, 1};
  const auto top = top_predictions(logits.data(), 3, 2, {"a", "b", "c"});
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].label, "b");
  EXPECT_EQ(top[0].index, 1);
  EXPECT_FLOAT_EQ(top[0].probability, 0.66524096f);
  EXPECT_EQ(top[1].label, "c");
  EXPECT_FLOAT_EQ(top[1].probability, 0.24472847f);
}

TEST(TopPredictions, KeepOrderOfEqualsAndBoundsOfK) {
  const std::vector<float> logits{1000, 1000, -1000};
  const auto top = top_predictions(logits.data(), 3, 9, {});
  ASSERT_EQ(top.size(), 3u);
  EXPECT_EQ(top[0].label, "0");
  EXPECT_EQ(top[1].label, "1");
  EXPECT_FLOAT_EQ(top[0].probability, 0.5f);
  EXPECT_FLOAT_EQ(top[2].probability, 0.0f);
  EXPECT_THROW(top_predictions(logits.data(), 3, 0, {}), Error);
}

TEST(TopPredictions, RefuseNotANumber) {
  const std::vector<float> logits{0, std::nanf(""), 1};
  EXPECT_THROW(top_predictions(logits.data(), 3, 1, {}), Error);
}

}  // namespace
}  // namespace vit
