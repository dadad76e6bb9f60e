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
  for (const auto interpolation : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area,
                                   Interpolation::nearest, Interpolation::hamming, Interpolation::lanczos}) {
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
  for (const auto interpolation : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area,
                                   Interpolation::nearest, Interpolation::hamming, Interpolation::lanczos}) {
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

TEST(ResizeCrop, BordersHaveTheirColourAndTheOddPixelItsPlace) {
  const Image image = test::noise_image(5, 2);
  PreprocessConfig config{.size = 5, .resize_size = 5, .rule = ResizeRule::longer_side, .fill = {7, 8, 9}};
  for (const auto rounding : {CropRounding::even, CropRounding::floor}) {
    config.crop_rounding = rounding;
    const cv::Mat out = resize_crop(image, config).rgb;
    ASSERT_EQ(out.rows, 5);
    const int top = rounding == CropRounding::even ? 1 : 2;
    for (int y = 0; y < 5; ++y) {
      const bool inside = y >= top && y < top + 2;
      const cv::Vec3b wanted = inside ? image.rgb.at<cv::Vec3b>(y - top, 3) : cv::Vec3b(7, 8, 9);
      EXPECT_EQ(out.at<cv::Vec3b>(y, 3), wanted) << y;
    }
  }
}

TEST(ResizeCrop, ThinPicturesKeepAPixel) {
  const PreprocessConfig config{.size = 8, .resize_size = 8, .rule = ResizeRule::longer_side};
  const cv::Mat out = resize_crop(test::noise_image(1, 1000), config).rgb;
  EXPECT_EQ(out.at<cv::Vec3b>(0, 0), cv::Vec3b(0, 0, 0));
  EXPECT_NE(out.at<cv::Vec3b>(0, 3), cv::Vec3b(0, 0, 0));
}

TEST(ResizeCrop, FloatsAreNotRounded) {
  PreprocessConfig config{.size = 3, .rule = ResizeRule::squash, .interpolation = Interpolation::bilinear};
  config.resize_on = ResizeOn::floats;
  const cv::Mat out = resize_crop_floats(test::image_of(2, 1, {0, 0, 0, 255, 255, 255}), config);
  EXPECT_EQ(out.type(), CV_32FC3);
  EXPECT_NEAR(static_cast<double>(out.at<cv::Vec3f>(1, 1)[1]), 0.5, 1e-6);
  EXPECT_EQ(resize_crop(test::image_of(2, 1, {0, 0, 0, 255, 255, 255}), config).rgb.at<cv::Vec3b>(1, 1)[1], 128);
}

TEST(ResizeCrop, NearestHasNoWeights) {
  const Image image = test::noise_image(6, 4);
  const cv::Mat half = resize(image.rgb, 3, 2, Interpolation::nearest);
  for (int y = 0; y < 2; ++y)
    for (int x = 0; x < 3; ++x) EXPECT_EQ(half.at<cv::Vec3b>(y, x), image.rgb.at<cv::Vec3b>(2 * y + 1, 2 * x + 1));
}

}  // namespace
}  // namespace vit
