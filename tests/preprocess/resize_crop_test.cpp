// Cases counted by hand; byte equality with Pillow is in pillow_golden_test.cpp.
#include "preprocess/resize_crop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/support/noise_image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::pixels_of;

Image gray_image(int64_t width, int64_t height, const std::vector<uint8_t>& values) {
  std::vector<uint8_t> pixels;
  for (const uint8_t v : values) pixels.insert(pixels.end(), {v, v, v});
  return test::image_of(width, height, pixels);
}

TEST(Resize, AreaAveragesWholeBlocks) {
  const Image image = gray_image(4, 2, {0, 10, 100, 101, 20, 30, 102, 103});
  EXPECT_EQ(pixels_of(resize(image.rgb, 2, 1, Interpolation::area)),
            pixels_of(gray_image(2, 1, {15, 102})));  // 101.5 rounds up
}

TEST(Resize, EnlargedAreaRepeatsPixels) {
  const Image image = gray_image(2, 1, {7, 200});
  EXPECT_EQ(pixels_of(resize(image.rgb, 4, 2, Interpolation::area)),
            pixels_of(gray_image(4, 2, {7, 7, 200, 200, 7, 7, 200, 200})));
}

TEST(Resize, EnlargedBilinearBlendsQuarters) {
  const Image image = gray_image(2, 1, {0, 100});
  EXPECT_EQ(pixels_of(resize(image.rgb, 4, 1, Interpolation::bilinear)), pixels_of(gray_image(4, 1, {0, 25, 75, 100})));
}

TEST(Resize, BicubicOvershootIsClipped) {
  const Image image = gray_image(4, 1, {0, 0, 255, 255});
  const cv::Mat out = resize(image.rgb, 16, 1, Interpolation::bicubic);
  const std::vector<uint8_t> pixels = pixels_of(out);
  EXPECT_EQ(pixels.front(), 0);
  EXPECT_EQ(pixels.back(), 255);
  EXPECT_TRUE(std::is_sorted(pixels.begin(), pixels.end()));
}

TEST(Resize, ConstantStaysConstant) {
  const Image image = gray_image(13, 7, std::vector<uint8_t>(91, 201));
  for (const auto interpolation : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area}) {
    for (const auto& [w, h] : {std::pair{1, 1}, {5, 40}, {29, 3}, {13, 2}, {200, 7}}) {
      EXPECT_EQ(pixels_of(resize(image.rgb, w, h, interpolation)),
                std::vector<uint8_t>(static_cast<size_t>(w * h * 3), 201));
    }
  }
}

TEST(Resize, SameSizeIsTheSame) {
  const Image image = test::noise_image(9, 5);
  EXPECT_EQ(pixels_of(resize(image.rgb, 9, 5, Interpolation::bicubic)), pixels_of(image));
}

TEST(Resize, APartOfAPictureIsAPictureOfItsOwn) {
  const Image image = test::noise_image(40, 30);
  const cv::Mat part = image.rgb(cv::Rect(7, 9, 21, 13));  // its rows lie apart
  const cv::Mat own = part.clone();
  for (const auto interpolation : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area}) {
    for (const auto& [w, h] : {std::pair{8, 5}, {50, 31}, {21, 4}, {9, 13}, {21, 13}}) {
      EXPECT_EQ(pixels_of(resize(part, w, h, interpolation)), pixels_of(resize(own, w, h, interpolation)));
    }
  }
}

TEST(Resize, RefusesBadSizes) {
  const Image image = test::noise_image(2, 2);
  EXPECT_THROW(resize(image.rgb, 0, 1, Interpolation::area), Error);
  EXPECT_THROW(resize(image.rgb, 1, -1, Interpolation::area), Error);
  EXPECT_THROW(resize(image.rgb, 1, kMaxSide + 1, Interpolation::area), Error);
  EXPECT_THROW(resize(cv::Mat(), 1, 1, Interpolation::area), Error);
}

TEST(ResizeCrop, ExifTurnsFirstWhereTheConfigSaysSo) {
  Image image = test::noise_image(12, 6);
  image.orientation = 6;
  PreprocessConfig config{.size = 6, .resize_size = 6, .rule = ResizeRule::shorter_side};
  EXPECT_EQ(pixels_of(resize_crop(image, config)), pixels_of(resize_crop(test::noise_image(12, 6), config)));
  config.exif_rotate = true;
  const Image turned = upright(image);
  EXPECT_EQ(turned.rgb.cols, 6);
  EXPECT_EQ(turned.rgb.rows, 12);
  EXPECT_EQ(turned.orientation, 1);
  // A quarter to the right: the first column from the bottom becomes the first row.
  for (size_t c = 0; c < 3; ++c) EXPECT_EQ(pixels_of(turned)[c], pixels_of(image)[5 * 12 * 3 + c]);
  EXPECT_EQ(pixels_of(resize_crop(image, config)), pixels_of(resize_crop(turned, config)));
}

TEST(ResizeCrop, SquashIgnoresTheShape) {
  const Image image = test::noise_image(12, 6);
  const PreprocessConfig config{.size = 4, .rule = ResizeRule::squash, .interpolation = Interpolation::area};
  EXPECT_EQ(pixels_of(resize_crop(image, config)), pixels_of(resize(image.rgb, 4, 4, Interpolation::area)));
}

/// The crop is the centre of the whole resized picture, for offsets of all four remainders.
TEST(ResizeCrop, IsTheCentreOfTheResizedPicture) {
  const Image image = test::noise_image(40, 20);
  const struct {
    int64_t size, left, top;
  } cases[] = {{10, 5, 0}, {9, 6, 0}, {8, 6, 1}, {7, 6, 2}, {6, 7, 2}, {5, 8, 2}};
  const cv::Mat whole = resize(image.rgb, 20, 10, Interpolation::bicubic);
  for (const auto& c : cases) {  // offsets are (20 - size) / 2 and (10 - size) / 2, halves to even
    const Image out = resize_crop(image, {.size = c.size, .resize_size = 10});
    const auto side = static_cast<int>(c.size);
    const cv::Mat centre = whole(cv::Rect(static_cast<int>(c.left), static_cast<int>(c.top), side, side));
    ASSERT_EQ(pixels_of(out), pixels_of(centre)) << "size " << c.size;
  }
}

/// The whole picture would be 224 x 56000000: only what the crop needs may be computed.
TEST(ResizeCrop, ThinPicturesCostNoMoreThanTheirCrop) {
  const Image out = resize_crop(test::noise_image(2, 500'000), {.size = 224, .resize_size = 224});
  EXPECT_EQ(pixels_of(out).size(), 224u * 224u * 3u);
}

TEST(ResizeCrop, RefusesACropLargerThanThePicture) {
  EXPECT_THROW(resize_crop(test::noise_image(8, 8), {.size = 8, .resize_size = 7}), Error);
}

}  // namespace
}  // namespace vit
