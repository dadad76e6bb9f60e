#include "infer/explain.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <opencv2/imgcodecs.hpp>

#include "infer/attention_overlay.h"
#include "tests/infer/small_model.h"
#include "tests/support/pixels.h"
#include "tests/support/temp_dir.h"
#include "vit/core/error.h"

namespace vit {
namespace {

const std::vector<std::string> kNames{"cat", "dog", "eel"};

TEST(Explain, GivesTheAnswerOfClassifyAndSharesOfThePatches) {
  for (const char* pooling : {"token", "avg"}) {
    Classifier classifier(test::small_model(kNames, pooling), {.attention_maps = true});
    const Image image = image_from_bgr(test::random_picture(40, 24, 3));
    const auto want = classifier.classify(image, {.top_k = 3});
    for (const AttentionMethod method : {AttentionMethod::last_layer, AttentionMethod::rollout}) {
      const Explanation explanation = explain(classifier, image, method);
      ASSERT_EQ(explanation.predictions.size(), 3u);
      EXPECT_EQ(explanation.predictions[0].index, want[0].index);
      EXPECT_NEAR(explanation.predictions[0].probability, want[0].probability, 1e-5);
      EXPECT_EQ(explanation.view.rgb.cols, 16);
      EXPECT_EQ(explanation.view.rgb.rows, 16);
      EXPECT_EQ(explanation.map.grid, 2);
      ASSERT_EQ(explanation.map.shares.size(), 4u);
      EXPECT_NEAR(std::accumulate(explanation.map.shares.begin(), explanation.map.shares.end(), 0.0), 1, 1e-6);
    }
  }
}

TEST(Explain, ABareMatrixIsBgr) {
  Classifier classifier(test::small_model(kNames), {.attention_maps = true});
  const cv::Mat bgr = test::random_picture(40, 24, 3);
  const Explanation one = explain(classifier, bgr, AttentionMethod::rollout);
  const Explanation other = explain(classifier, image_from_bgr(bgr), AttentionMethod::rollout);
  EXPECT_EQ(test::pixels_of(one.view), test::pixels_of(other.view));
  EXPECT_EQ(one.map.shares, other.map.shares);
}

TEST(Explain, RuleThatResizesBeforeItCropsIsAppliedOnce) {
  Model model = test::small_model(kNames);
  model.preprocess["resize_size"] = 24;
  Classifier classifier(std::move(model), {.attention_maps = true});
  const Image image = image_from_bgr(test::random_picture(40, 30, 4));
  const auto want = classifier.classify(image, {.top_k = 1});
  const Explanation explanation = explain(classifier, image, AttentionMethod::last_layer);
  EXPECT_EQ(explanation.predictions[0].probability, want[0].probability);
}

Explanation lit_corner() {
  Explanation explanation;
  explanation.view = image_from_bgr(cv::Mat(16, 16, CV_8UC3, cv::Scalar(90, 120, 150)));
  explanation.predictions = {{"cat", 0, 0.5f}};
  explanation.map = {2, {0.7f, 0.1f, 0.1f, 0.1f}};
  return explanation;
}

int brightness(const cv::Mat& picture, int x, int y) {
  const uint8_t* bgr = picture.ptr(y, x);
  return bgr[0] + bgr[1] + bgr[2];
}

TEST(AttentionOverlay, LeavesTheViewAndLightsThePatch) {
  const cv::Mat picture = draw_attention(lit_corner());
  EXPECT_EQ(picture.cols, 2 * 224 + 3 * 12);
  EXPECT_EQ(brightness(picture, 12 + 112, 34 + 112), 90 + 120 + 150);  // the view, unchanged
  const int64_t overlay = 2 * 12 + 224;
  EXPECT_GT(brightness(picture, overlay + 30, 34 + 30), brightness(picture, overlay + 190, 34 + 190) + 100);
}

TEST(AttentionOverlay, EvenMapIsDrawn) {
  Explanation explanation = lit_corner();
  explanation.map.shares.assign(4, 0.25f);
  explanation.predictions[0].label = std::string(300, 'x') + "\n\xc3\xa9";
  EXPECT_GT(draw_attention(explanation).cols, 0);
}

TEST(AttentionOverlay, FileIsAPngOrNotThere) {
  test::TempDir dir;
  save_attention(dir / "a.png", lit_corner());
  const cv::Mat read = cv::imread((dir / "a.png").string());
  const cv::Mat drawn = draw_attention(lit_corner());
  ASSERT_EQ(read.size(), drawn.size());
  EXPECT_EQ(test::pixels_of(read), test::pixels_of(drawn));
  EXPECT_THROW(save_attention(dir / "no/such/folder/a.png", lit_corner()), Error);
}

}  // namespace
}  // namespace vit
