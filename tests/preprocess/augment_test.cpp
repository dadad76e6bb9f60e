#include "preprocess/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "preprocess/warp.h"
#include "tests/support/noise_image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

using test::pixels_of;

AugmentRandom numbers(uint64_t sample = 0) { return {7, 0, sample}; }

/// What the operations on the square make of a picture.
cv::Mat augmented(const Image& image, const AugmentConfig& config, AugmentRandom& random) {
  return augment(image.rgb, AugmentStage::square, config, random);
}

/// The pixels of `image` moved by (dx, dy), black where nothing came from.
std::vector<uint8_t> moved(const Image& image, int64_t dx, int64_t dy) {
  const std::vector<uint8_t> pixels = pixels_of(image);
  const int64_t width = image.rgb.cols, height = image.rgb.rows;
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t from_x = x - dx, from_y = y - dy;
      const bool inside = from_x >= 0 && from_x < width && from_y >= 0 && from_y < height;
      for (int64_t c = 0; c < 3; ++c) {
        out.push_back(inside ? pixels[static_cast<size_t>((from_y * width + from_x) * 3 + c)] : uint8_t{0});
      }
    }
  }
  return out;
}

TEST(Augment, NothingEnabledDrawsAndChangesNothing) {
  const Image image = test::noise_image(8, 6);
  AugmentRandom used = numbers(), fresh = numbers();
  EXPECT_EQ(pixels_of(augmented(image, {}, used)), pixels_of(image));
  EXPECT_EQ(used.shared.next_u32(), fresh.shared.next_u32());
}

TEST(Augment, FlipMirrorsEachRow) {
  for (const int width : {1, 2, 5, 8}) {
    const Image image = test::noise_image(width, 3);
    AugmentRandom random = numbers();
    const cv::Mat out = augmented(image, {.flip = 1}, random);
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) ASSERT_EQ(out.ptr(y, x)[c], image.rgb.ptr(y, width - 1 - x)[c]);
      }
    }
  }
}

TEST(Augment, FlipHasItsProbability) {
  const Image image = test::noise_image(3, 1);
  constexpr int kTrials = 4000;
  int flips = 0;
  for (int i = 0; i < kTrials; ++i) {
    AugmentRandom random = numbers(static_cast<uint64_t>(i));
    flips += pixels_of(augmented(image, {.flip = 0.25f}, random)) != pixels_of(image);
  }
  EXPECT_NEAR(flips, 1000, 6 * std::sqrt(kTrials * 0.25 * 0.75));
}

TEST(Augment, CropMovesByEveryOffsetAndFillsBlack) {
  const Image image = test::noise_image(7, 5);
  std::set<std::pair<int64_t, int64_t>> seen;
  for (uint64_t i = 0; i < 400; ++i) {
    AugmentRandom random = numbers(i), same = numbers(i);
    const int64_t dy = 2 - static_cast<int64_t>(same.shared.below(5));  // y is drawn first
    const int64_t dx = 2 - static_cast<int64_t>(same.shared.below(5));
    ASSERT_EQ(pixels_of(augmented(image, {.crop_padding = 2}, random)), moved(image, dx, dy)) << dx << ", " << dy;
    seen.insert({dx, dy});
  }
  EXPECT_EQ(seen.size(), 25u);
}

TEST(Augment, CropPaddingLargerThanThePictureIsFine) {
  const Image image = test::noise_image(2, 3);
  for (uint64_t i = 0; i < 100; ++i) {
    AugmentRandom random = numbers(i), same = numbers(i);
    const int64_t dy = 9 - static_cast<int64_t>(same.shared.below(19));
    const int64_t dx = 9 - static_cast<int64_t>(same.shared.below(19));
    ASSERT_EQ(pixels_of(augmented(image, {.crop_padding = 9}, random)), moved(image, dx, dy));
  }
}

constexpr AugmentConfig kAll{.flip = 0.5f,
                             .crop_padding = 3,
                             .rotate = 15,
                             .shift = 0.1f,
                             .scale = 0.1f,
                             .shear = 10,
                             .elastic = 1.5f,
                             .erase = 0.5f};

TEST(Augment, SameStreamSameBytesOtherStreamOthers) {
  const Image image = test::noise_image(28, 28);
  AugmentRandom a = numbers(1), b = numbers(1), c = numbers(2);
  const cv::Mat first = augmented(image, kAll, a);
  EXPECT_EQ(pixels_of(first), pixels_of(augmented(image, kAll, b)));
  EXPECT_EQ(a.shared.next_u32(), b.shared.next_u32());
  EXPECT_NE(pixels_of(first), pixels_of(augmented(image, kAll, c)));
}

/// Data sets hand out pictures that share their pixels.
TEST(Augment, LeavesThePictureThatItWasGivenAlone) {
  const Image image = test::noise_image(28, 28);
  const std::vector<uint8_t> before = pixels_of(image);
  for (const AugmentConfig& config : {kAll, AugmentConfig{.flip = 1}, AugmentConfig{.erase = 1}}) {
    for (uint64_t i = 0; i < 20; ++i) {
      AugmentRandom random = numbers(i);
      augmented(image, config, random);
      ASSERT_EQ(pixels_of(image), before);
    }
  }
}

TEST(AugmentRandom, SharedIsKeyedBySeedEpochAndSample) {
  RandomStream wanted(8, RandomPurpose::augment, 6, 5);
  EXPECT_EQ(AugmentRandom(8, 6, 5).shared.next_u64(), wanted.next_u64());
}

TEST(AugmentRandom, EachNameHasAStreamOfItsOwn) {
  std::set<uint64_t> first;
  for (uint64_t sample = 0; sample < 50; ++sample) {
    AugmentRandom random = numbers(sample);
    first.insert({random.shared.next_u64(), random.of("flip").next_u64(), random.of("color").next_u64()});
  }
  EXPECT_EQ(first.size(), 150u);
  AugmentRandom used = numbers(3), fresh = numbers(3);
  used.shared.next_u64();
  EXPECT_EQ(used.of("color").next_u64(), fresh.of("color").next_u64()) << "what others draw has no part in it";
  EXPECT_NE(AugmentRandom(8, 0, 3).of("color").next_u64(), fresh.of("color").next_u64());
  EXPECT_NE(AugmentRandom(7, 1, 3).of("color").next_u64(), fresh.of("color").next_u64());
}

TEST(Augment, EraseReplacesOneRectangle) {
  const Image white = image_from_rgb(cv::Mat(30, 40, CV_8UC3, cv::Scalar::all(255)));
  AugmentRandom random = numbers();
  const std::vector<uint8_t> out = pixels_of(augmented(white, {.erase = 1}, random));
  int64_t left = 40, right = -1, top = 30, bottom = -1, changed = 0;
  for (int64_t y = 0; y < 30; ++y) {
    for (int64_t x = 0; x < 40; ++x) {
      const auto at = static_cast<size_t>((y * 40 + x) * 3);
      if (out[at] == 255 && out[at + 1] == 255 && out[at + 2] == 255) continue;
      ++changed;
      left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  const int64_t area = (right - left + 1) * (bottom - top + 1);
  EXPECT_EQ(changed, area);  // a white pixel of noise has a chance of 2^-24
  EXPECT_GE(area, 40 * 30 * 0.01);
  EXPECT_LE(area, 40 * 30 * 0.4);
}

TEST(Warp, IdentityIsExact) {
  for (const auto& [w, h] : {std::pair<int64_t, int64_t>{1, 1}, {28, 28}, {33, 7}}) {
    const Image image = test::noise_image(w, h);
    EXPECT_EQ(pixels_of(warp(image.rgb, inverse_matrix({}, w, h), {})), pixels_of(image));
  }
}

TEST(Warp, WholeShiftsAreExact) {
  const Image image = test::noise_image(9, 6);
  EXPECT_EQ(pixels_of(warp(image.rgb, inverse_matrix({.shift_x = 2, .shift_y = -1}, 9, 6), {})), moved(image, 2, -1));
}

TEST(Warp, QuarterTurnIsClockwise) {
  const Image image = test::noise_image(6, 6);
  const cv::Mat out = warp(image.rgb, inverse_matrix({.degrees = 90}, 6, 6), {});
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) {  // clockwise: row y becomes column 5 - y
      ASSERT_EQ(*out.ptr(x, 5 - y), *image.rgb.ptr(y, x));
    }
  }
}

TEST(Warp, DisplacementMovesTheLookup) {
  const Image image = test::noise_image(5, 4);
  const Displacement displacement{std::vector<float>(20, 1.0f), std::vector<float>(20, 2.0f)};
  EXPECT_EQ(pixels_of(warp(image.rgb, inverse_matrix({}, 5, 4), displacement)), moved(image, -1, -2));
  EXPECT_THROW(warp(image.rgb, inverse_matrix({}, 5, 4), {std::vector<float>(20), {}}), Error);
}

TEST(RandomDisplacement, HasItsAmplitudeAndIsSmooth) {
  constexpr int64_t kSide = 256;
  RandomStream random = numbers().shared;
  const Displacement field = random_displacement(kSide, kSide, 1.5f, 4, random);
  ASSERT_EQ(field.x.size(), static_cast<size_t>(kSide * kSide));
  for (const auto* plane : {&field.x, &field.y}) {
    double squares = 0, steps = 0;
    for (size_t i = 1; i < plane->size(); ++i) {
      squares += std::pow(static_cast<double>((*plane)[i]), 2);
      if (i % kSide != 0) steps += std::pow(static_cast<double>((*plane)[i] - (*plane)[i - 1]), 2);
    }
    const double rms = std::sqrt(squares / (kSide * kSide));
    EXPECT_NEAR(rms, 1.5, 0.2);
    // Noise smoothed by a Gaussian has slopes of rms / (sqrt(2) sigma).
    EXPECT_NEAR(std::sqrt(steps / (kSide * kSide)), 1.5 / (std::sqrt(2.0) * 4), 0.05);
  }
  EXPECT_NE(field.x, field.y);
}

}  // namespace
}  // namespace vit
