#include "train/validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "infer/engine.h"
#include "tests/train/small_run.h"

namespace vit {
namespace {

struct Expected {
  double loss = 0;
  double top1 = 0;
};

/// Picture by picture, in double.
Expected reference(const Model& model, const Split& split, const Pipeline& pipeline) {
  Engine engine(model);
  Expected sum;
  AlignedBuffer<float> patches(pipeline.patches() * pipeline.patch_dim());
  std::vector<float> logits(static_cast<std::size_t>(model.config.classes));
  for (int64_t i = 0; i < split.size(); ++i) {
    pipeline.prepare(split.image(i), {patches.data(), {pipeline.patches(), pipeline.patch_dim()}});
    engine.run({patches.data(), {1, pipeline.patches(), pipeline.patch_dim()}},
               {.logits = {logits.data(), {1, model.config.classes}}, .embeddings = {}, .attention = {}});
    double total = 0;
    for (float x : logits) total += std::exp(static_cast<double>(x));
    const auto label = static_cast<std::size_t>(split.label(i));
    sum.loss += std::log(total) - static_cast<double>(logits[label]);
    const bool correct = std::max_element(logits.begin(), logits.end()) - logits.begin() == split.label(i);
    sum.top1 += correct ? 1 : 0;
  }
  const auto count = static_cast<double>(split.size());
  return {sum.loss / count, sum.top1 / count};
}

class Validation : public testing::Test {
 protected:
  Validation()
      : data_(8, 3, 6, 13), config_(resolve(test::small_config(), data_)), model_(make_initial_model(config_, data_)) {
    // Larger weights than a fresh model has, so that the answers differ.
    for (float& x : model_.weights.span()) x *= 8;
  }

  test::MemoryDataset data_;
  TrainConfig config_;
  Model model_;
};

TEST_F(Validation, LossAndTop1AreMeansOverThePictures) {
  const Pipeline pipeline = training_pipeline(data_, config_);
  const auto split = data_.split("val");
  const Expected expected = reference(model_, *split, pipeline);
  ASSERT_GT(expected.loss, 0.1);
  for (int64_t batch : {1, 4, 64}) {
    const auto result = run_validation(model_, split, pipeline, batch, nullptr);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->images, 13);
    EXPECT_NEAR(result->loss, expected.loss, 1e-5 * expected.loss);
    EXPECT_EQ(result->top1, expected.top1);
  }
}

// The first class would be the largest of logits that are no numbers.
TEST_F(Validation, LogitsThatAreNoNumbersAreWrongAnswers) {
  for (float broken : {std::nanf(""), INFINITY}) {
    const Parameter& head = *model_.layout.find("head.weight");
    std::fill_n(at(model_.weights, head), head.count, broken);
    const auto result = run_validation(model_, data_.split("val"), training_pipeline(data_, config_), 4, nullptr);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->top1, 0);
    EXPECT_FALSE(std::isfinite(result->loss));
  }
}

TEST_F(Validation, StopsWhenAsked) {
  const std::atomic<bool> stop{true};
  EXPECT_FALSE(run_validation(model_, data_.split("val"), training_pipeline(data_, config_), 4, &stop).has_value());
}

TEST_F(Validation, NoReadablePictureIsAnError) {
  for (int64_t i = 0; i < 13; ++i) data_.splits["val"]->broken.push_back(i);
  EXPECT_THROW(run_validation(model_, data_.split("val"), training_pipeline(data_, config_), 4, nullptr), Error);
}

}  // namespace
}  // namespace vit
