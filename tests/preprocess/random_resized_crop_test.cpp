// Against torchvision: random_resized_crop_golden.json, written by make_random_resized_crop_goldens.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "preprocess/augment.h"
#include "preprocess/pipeline.h"
#include "preprocess/resize_crop.h"
#include "tests/support/noise_image.h"
#include "vit/core/buffer.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::pixels_of;

const nlohmann::json& golden() {
  static const nlohmann::json json =
      nlohmann::json::parse(std::ifstream(VIT_SOURCE_DIR "/tests/preprocess/random_resized_crop_golden.json"));
  return json;
}

/// The part of `picture` that the operation chooses.
cv::Rect part_of(const cv::Mat& picture, const AugmentConfig& config, AugmentRandom random) {
  const cv::Mat part = augment(picture, AugmentStage::source, config, random);
  cv::Size whole;
  cv::Point at;
  part.locateROI(whole, at);
  EXPECT_EQ(whole, picture.size());
  return {at, part.size()};
}

TEST(RandomResizedCrop, APartResizedIsTorchvisionsResizedCrop) {
  ASSERT_EQ(golden()["parts"].size(), 18u);
  for (const auto& c : golden()["parts"]) {
    const Image image = test::noise_image(c["from"][0], c["from"][1]);
    const cv::Rect part(c["part"][0], c["part"][1], c["part"][2], c["part"][3]);
    const Interpolation interpolation = c["interpolation"] == "bilinear"  ? Interpolation::bilinear
                                        : c["interpolation"] == "bicubic" ? Interpolation::bicubic
                                                                          : Interpolation::area;
    uint64_t hash = 0xCBF29CE484222325u;  // 64-bit FNV-1a
    for (const uint8_t byte : pixels_of(resize(image.rgb(part), c["size"], c["size"], interpolation)))
      hash = (hash ^ byte) * 0x100000001B3u;
    EXPECT_EQ(hash, std::stoull(c["fnv"].get<std::string>(), nullptr, 16)) << c;
  }
}

TEST(RandomResizedCrop, WhereNoTryFitsItIsTheMiddle) {
  for (const auto& c : golden()["middle"]) {
    const Image image = test::noise_image(c["from"][0], c["from"][1]);
    const cv::Rect wanted(c["part"][0], c["part"][1], c["part"][2], c["part"][3]);
    EXPECT_EQ(part_of(image.rgb, {.random_resized_crop = 1}, {7, 0, 0}), wanted) << c;
  }
}

TEST(RandomResizedCrop, PartsAreSpreadAsTorchvisionsAre) {
  for (const auto& c : golden()["means"]) {
    const int width = c["from"][0], height = c["from"][1];
    const cv::Mat picture(height, width, CV_8UC3);
    constexpr int kDraws = 40'000;
    double area = 0, area_squared = 0, log_shape = 0, left = 0, top = 0;
    for (uint64_t sample = 0; sample < kDraws; ++sample) {
      const cv::Rect part = part_of(picture, {.random_resized_crop = 0.08f}, {7, 0, sample});
      const double share = static_cast<double>(part.area()) / (width * height);
      const double shape = static_cast<double>(part.width) / part.height;
      ASSERT_GE(share, 0.08 * 0.95);
      ASSERT_LE(share, 1);
      ASSERT_GE(shape, 3.0 / 4 * 0.95);  // sides are rounded
      ASSERT_LE(shape, 4.0 / 3 * 1.05);
      area += share / kDraws;
      area_squared += share * share / kDraws;
      log_shape += std::log(shape) / kDraws;
      left += (part.x + part.width / 2.0) / width / kDraws;
      top += (part.y + part.height / 2.0) / height / kDraws;
    }
    // Six deviations of the difference of two such means.
    EXPECT_NEAR(area, c["area"], 0.012);
    EXPECT_NEAR(area_squared, c["area_squared"], 0.013);
    EXPECT_NEAR(log_shape, c["log_shape"], 0.008);
    EXPECT_NEAR(left, c["left"], 0.008);
    EXPECT_NEAR(top, c["top"], 0.008);
  }
}

TEST(RandomResizedCrop, FillsTheSquareInOneResampling) {
  const PreprocessConfig config{.size = 24, .resize_size = 32};
  const Pipeline pipeline(config, 8);
  Image image = test::noise_image(70, 50);
  image.orientation = 6;
  for (const bool turns : {false, true}) {
    PreprocessConfig geometry = config;
    geometry.exif_rotate = turns;
    const Image source = turns ? upright(image) : image;
    for (uint64_t sample = 0; sample < 5; ++sample) {
      const AugmentConfig augmentation{.random_resized_crop = 0.2f};
      AlignedBuffer<float> rows(9 * 192), wanted(9 * 192);
      AugmentRandom random(7, 2, sample);
      Pipeline(geometry, 8).prepare_augmented(image, augmentation, random, {rows.data(), {9, 192}});
      const cv::Mat part = source.rgb(part_of(source.rgb, augmentation, {7, 2, sample}));
      const Image square = image_from_rgb(resize(part, 24, 24, config.interpolation));
      patchify(square, config, 8, {wanted.data(), {9, 192}});
      EXPECT_TRUE(std::equal(rows.data(), rows.data() + rows.size(), wanted.data()));
    }
  }
}

TEST(RandomResizedCrop, ChangesNoNumbersOfOtherOperations) {
  const Image image = test::noise_image(20, 20);
  for (uint64_t sample = 0; sample < 20; ++sample) {
    AugmentRandom with(7, 0, sample), without(7, 0, sample);
    augment(image.rgb, AugmentStage::source, {.flip = 0.5f, .random_resized_crop = 0.08f}, with);
    const AugmentConfig both{.flip = 0.5f, .erase = 1, .random_resized_crop = 0.08f}, one{.flip = 0.5f, .erase = 1};
    EXPECT_EQ(pixels_of(augment(image.rgb, AugmentStage::square, both, with)),
              pixels_of(augment(image.rgb, AugmentStage::square, one, without)));
    EXPECT_EQ(with.shared.next_u32(), without.shared.next_u32());
  }
}

TEST(RandomResizedCrop, FollowsFromSeedEpochAndSample) {
  const cv::Mat picture(400, 300, CV_8UC3);
  const AugmentConfig config{.random_resized_crop = 0.08f};
  const cv::Rect part = part_of(picture, config, {7, 3, 11});
  EXPECT_EQ(part_of(picture, config, {7, 3, 11}), part);
  for (const AugmentRandom& other : {AugmentRandom(8, 3, 11), AugmentRandom(7, 4, 11), AugmentRandom(7, 3, 12)})
    EXPECT_NE(part_of(picture, config, other), part);
}

TEST(RandomResizedCrop, IsStoredWhereItIsOn) {
  EXPECT_FALSE(to_json(AugmentConfig{}).contains("random_resized_crop")) << "files of runs without it are as before";
  const AugmentConfig config{.random_resized_crop = 0.25f, .random_resized_crop_ratio = 2};
  EXPECT_EQ(augment_config_from_json(to_json(config), "here"), config);
  EXPECT_FALSE(acts(AugmentStage::source, {}));
  EXPECT_THROW(validate(AugmentConfig{.random_resized_crop = 1.5f}), Error);
  EXPECT_THROW(validate(AugmentConfig{.random_resized_crop = 0.5f, .random_resized_crop_ratio = 0.5f}), Error);
}

}  // namespace
}  // namespace vit
