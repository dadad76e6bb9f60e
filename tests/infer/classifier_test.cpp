#include "infer/classifier.h"

#include <gtest/gtest.h>

#include "tests/infer/small_model.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

const std::vector<std::string> kNames{"cat", "dog", "eel"};

void expect_same(const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].label, b[i].label);
    EXPECT_EQ(a[i].index, b[i].index);
    EXPECT_EQ(a[i].probability, b[i].probability);
  }
}

TEST(Classifier, FileGivesTheSameAnswersAsTheModelInMemory) {
  test::TempDir dir;
  save_model(dir / "model.h5", test::small_model(kNames));
  Classifier memory(test::small_model(kNames));
  Classifier file = Classifier::open(dir / "model.h5");
  const cv::Mat picture = test::random_picture(40, 24, 1);
  const auto answers = memory.classify(picture, {.top_k = 3});
  ASSERT_EQ(answers.size(), 3u);
  expect_same(answers, file.classify(picture, {.top_k = 3}));
  expect_same(answers, memory.classify(image_from_bgr(picture), {.top_k = 3}));
}

TEST(Classifier, ProbabilitiesAddUpAndDependOnThePicture) {
  Classifier classifier(test::small_model(kNames));
  const auto one = classifier.classify(test::random_picture(16, 16, 1));
  const auto two = classifier.classify(test::random_picture(16, 16, 2));
  ASSERT_EQ(one.size(), 3u);
  EXPECT_NEAR(one[0].probability + one[1].probability + one[2].probability, 1, 1e-6);
  EXPECT_GE(one[0].probability, one[1].probability);
  EXPECT_NE(one[0].probability, two[0].probability);
}

TEST(Classifier, RefusesAnEmptyMatrix) {
  Classifier classifier(test::small_model(kNames));
  EXPECT_THROW(classifier.classify(cv::Mat()), Error);
}

TEST(Classifier, RefusesAModelWhosePartsDisagree) {
  Model names = test::small_model(kNames);
  names.class_names.pop_back();
  EXPECT_THROW(Classifier{std::move(names)}, Error);
  Model size = test::small_model(kNames);
  size.preprocess["size"] = 24;
  size.preprocess["resize_size"] = 24;
  EXPECT_THROW(Classifier{std::move(size)}, Error);
}

}  // namespace
}  // namespace vit
