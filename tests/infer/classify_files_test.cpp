#include "infer/classify_files.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/infer/small_model.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

const std::vector<std::string> kNames{"cat", "dog", "eel"};

/// 23 inputs; every fifth is broken and one is missing.
std::vector<InputFile> inputs_in(const test::TempDir& dir) {
  std::vector<InputFile> inputs;
  for (int i = 0; i < 23; ++i) {
    const auto path = dir / (std::to_string(i) + ".png");
    if (i % 5 == 0)
      std::ofstream(path) << "not a picture";
    else
      test::write_picture(path, test::random_picture(20 + i, 30, static_cast<uint64_t>(i)));
    inputs.push_back({path.string(), {}});
  }
  inputs[7] = {(dir / "missing.png").string(), "no such file"};
  return inputs;
}

TEST(ClassifyFiles, ResultsComeInInputOrderWithFailuresInPlace) {
  test::TempDir dir;
  const auto inputs = inputs_in(dir);
  Classifier classifier(test::small_model(kNames));
  for (int64_t batch : {1, 4, 64}) {
    SCOPED_TRACE(batch);
    int64_t next = 0;
    const ClassifySummary summary =
        classify_files(classifier, inputs, {.top_k = 2, .batch = batch}, [&](const FileResult& result) {
          EXPECT_EQ(result.index, next);
          EXPECT_EQ(result.path, inputs[static_cast<std::size_t>(next)].path);
          const bool bad = next % 5 == 0 || next == 7;
          EXPECT_EQ(result.error.empty(), !bad) << result.error;
          EXPECT_EQ(result.predictions.size(), bad ? 0u : 2u);
          EXPECT_EQ(result.logits.size(), bad ? 0u : 3u);
          ++next;
        });
    EXPECT_EQ(next, 23);
    EXPECT_EQ(summary.classified, 17);
    EXPECT_EQ(summary.unreadable, 6);
  }
}

TEST(ClassifyFiles, AnswersAreThoseOfOnePictureAtATime) {
  test::TempDir dir;
  const auto inputs = inputs_in(dir);
  Classifier classifier(test::small_model(kNames));
  Classifier single(test::small_model(kNames));
  int64_t compared = 0;
  classify_files(classifier, inputs, {.top_k = 3, .batch = 8, .embeddings = true}, [&](const FileResult& result) {
    if (!result.error.empty()) return;
    const auto want = single.classify(read_image(result.path), {.top_k = 3});
    ASSERT_EQ(result.predictions.size(), want.size());
    for (std::size_t k = 0; k < want.size(); ++k) {
      EXPECT_EQ(result.predictions[k].label, want[k].label);
      EXPECT_NEAR(result.predictions[k].probability, want[k].probability, 1e-5);
    }
    EXPECT_EQ(result.embedding.size(), 32u);
    ++compared;
  });
  EXPECT_EQ(compared, 17);
}

TEST(ClassifyFiles, ModelWithoutHeadGivesEmbeddingsOnly) {
  test::TempDir dir;
  test::write_picture(dir / "a.png", test::random_picture(16, 16, 1));
  Classifier classifier(test::small_model({}));
  const std::vector<InputFile> inputs{{(dir / "a.png").string(), {}}};
  int64_t calls = 0;
  classify_files(classifier, inputs, {.embeddings = true}, [&](const FileResult& result) {
    EXPECT_EQ(result.error, "");
    EXPECT_TRUE(result.predictions.empty());
    EXPECT_EQ(result.embedding.size(), 32u);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(ClassifyFiles, ModelThatGivesNoNumbersIsTheFilesError) {
  test::TempDir dir;
  test::write_picture(dir / "a.png", test::random_picture(16, 16, 1));
  Model model = test::small_model(kNames);
  at(model.weights, *model.layout.find("head.bias"))[0] = std::nanf("");
  Classifier classifier(std::move(model));
  const std::vector<InputFile> inputs{{(dir / "a.png").string(), {}}};
  const auto summary = classify_files(classifier, inputs, {}, [](const FileResult& result) {
    EXPECT_NE(result.error.find("not finite"), std::string::npos);
    EXPECT_TRUE(result.predictions.empty());
  });
  EXPECT_EQ(summary.unreadable, 1);
}

}  // namespace
}  // namespace vit
