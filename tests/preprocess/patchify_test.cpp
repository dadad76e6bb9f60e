#include "preprocess/patchify.h"

#include <gtest/gtest.h>

#include "preprocess/pipeline.h"
#include "preprocess/resize_crop.h"
#include "tests/support/noise_image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

PreprocessConfig config_of(int64_t size) {
  return {.size = size,
          .resize_size = size,
          .rule = ResizeRule::squash,
          .mean = {0.25f, 0.5f, 0.75f},
          .std = {0.5f, 0.25f, 0.125f}};
}

TEST(Patchify, OrderIsPatchesThenChannelThenRowThenColumn) {
  const Image image = test::noise_image(6, 6);
  const std::vector<uint8_t> pixels = test::pixels_of(image);
  const PreprocessConfig config = config_of(6);
  for (const int64_t p : {1, 2, 3, 6}) {
    const int64_t across = 6 / p, dim = 3 * p * p;
    std::vector<float> memory(static_cast<size_t>(across * across * dim));
    const TensorView<float> rows(memory.data(), {across * across, dim});
    patchify(image, config, p, rows);
    for (int64_t y = 0; y < 6; ++y) {
      for (int64_t x = 0; x < 6; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          const auto i = static_cast<size_t>(c);
          const float pixel = pixels[static_cast<size_t>((y * 6 + x) * 3 + c)];
          ASSERT_EQ(rows(y / p * across + x / p, c * p * p + y % p * p + x % p),
                    (pixel / 255.0f - config.mean[i]) / config.std[i])
              << "P " << p << ", y " << y << ", x " << x << ", c " << c;
        }
      }
    }
  }
}

TEST(Patchify, LeavesAloneWhatLiesBetweenRows) {
  constexpr int64_t kStride = 15;
  std::vector<float> memory(4 * kStride, -99.0f);
  patchify(test::noise_image(4, 4), config_of(4), 2, TensorView<float>::matrix(memory.data(), 4, 12, kStride));
  for (int64_t i = 0; i < 4 * kStride; ++i) EXPECT_EQ(memory[static_cast<size_t>(i)] == -99.0f, i % kStride >= 12) << i;
}

TEST(Patchify, RefusesWhatDoesNotFit) {
  std::vector<float> memory(1000);
  const Image image = test::noise_image(4, 4);
  const auto rows = [&](int64_t n, int64_t d) { return TensorView<float>(memory.data(), {n, d}); };
  EXPECT_NO_THROW(patchify(image, config_of(4), 2, rows(4, 12)));
  EXPECT_THROW(patchify(image, config_of(4), 3, rows(1, 27)), Error);
  EXPECT_THROW(patchify(image, config_of(4), 0, rows(4, 12)), Error);
  EXPECT_THROW(patchify(image, config_of(4), 2, rows(3, 12)), Error);
  EXPECT_THROW(patchify(image, config_of(4), 2, rows(4, 13)), Error);
  EXPECT_THROW(patchify(image, config_of(8), 2, rows(16, 12)), Error);
  EXPECT_THROW(patchify(image, config_of(4), 2, TensorView<float>(memory.data(), {48})), Error);
}

TEST(Pipeline, IsResizeThenPatchify) {
  PreprocessConfig config = config_of(8);
  config.rule = ResizeRule::shorter_side;
  config.resize_size = 10;
  const Pipeline pipeline(config, 4);
  EXPECT_EQ(pipeline.patches(), 4);
  EXPECT_EQ(pipeline.patch_dim(), 48);
  EXPECT_EQ(pipeline.config(), config);
  const Image image = test::noise_image(31, 17);
  std::vector<float> got(192), wanted(192), augmented(192);
  pipeline.prepare(image, TensorView<float>(got.data(), {4, 48}));
  patchify(resize_crop(image, config), config, 4, TensorView<float>(wanted.data(), {4, 48}));
  EXPECT_EQ(got, wanted);

  AugmentRandom random(1, 0, 0), same(1, 0, 0);
  const AugmentConfig augmentation{.flip = 1, .crop_padding = 2};
  pipeline.prepare_augmented(image, augmentation, random, TensorView<float>(augmented.data(), {4, 48}));
  const cv::Mat square = augment(resize_crop(image, config).rgb, AugmentStage::square, augmentation, same);
  patchify(image_from_rgb(square), config, 4, TensorView<float>(wanted.data(), {4, 48}));
  EXPECT_EQ(augmented, wanted);
  EXPECT_NE(augmented, got);
}

TEST(Pipeline, SquashedPictureOfTheRightSizeIsUsedAsItIs) {
  const Pipeline pipeline(config_of(8), 8);
  const Image image = test::noise_image(8, 8);
  std::vector<float> got(192), wanted(192);
  pipeline.prepare(image, TensorView<float>(got.data(), {1, 192}));
  patchify(image, config_of(8), 8, TensorView<float>(wanted.data(), {1, 192}));
  EXPECT_EQ(got, wanted);
}

TEST(Pipeline, RefusesBadConfigs) {
  EXPECT_THROW(Pipeline(config_of(8), 3), Error);
  EXPECT_THROW(Pipeline(config_of(8), 0), Error);
  PreprocessConfig config = config_of(8);
  config.std[0] = 0;
  EXPECT_THROW(Pipeline(config, 4), Error);
}

}  // namespace
}  // namespace vit
