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

RandomStream stream(uint64_t sample = 0) { return RandomStream(7, RandomPurpose::augment, 0, sample); }

/// The pixels of `image` moved by (dx, dy), black where nothing came from.
std::vector<uint8_t> moved(const Image& image, int64_t dx, int64_t dy) {
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const int64_t from_x = x - dx, from_y = y - dy;
      const bool inside = from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
      for (int64_t c = 0; c < 3; ++c) {
        out.push_back(inside ? image.pixels[static_cast<size_t>((from_y * image.width + from_x) * 3 + c)] : uint8_t{0});
      }
    }
  }
  return out;
}

TEST(Augment, NothingEnabledDrawsAndChangesNothing) {
  const Image image = test::noise_image(8, 6);
  RandomStream used = stream(), fresh = stream();
  EXPECT_EQ(augment(image, {}, used).pixels, image.pixels);
  EXPECT_EQ(used.next_u32(), fresh.next_u32());
}

TEST(Augment, FlipMirrorsEachRow) {
  for (const int64_t width : {1, 2, 5, 8}) {
    const Image image = test::noise_image(width, 3);
    RandomStream random = stream();
    const Image out = augment(image, {.flip = 1}, random);
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          ASSERT_EQ(out.pixels[static_cast<size_t>((y * width + x) * 3 + c)],
                    image.pixels[static_cast<size_t>((y * width + width - 1 - x) * 3 + c)]);
        }
      }
    }
  }
}

TEST(Augment, FlipHasItsProbability) {
  const Image image = test::noise_image(3, 1);
  constexpr int kTrials = 4000;
  int flips = 0;
  for (int i = 0; i < kTrials; ++i) {
    RandomStream random = stream(static_cast<uint64_t>(i));
    flips += augment(image, {.flip = 0.25f}, random).pixels != image.pixels;
  }
  EXPECT_NEAR(flips, 1000, 6 * std::sqrt(kTrials * 0.25 * 0.75));
}

TEST(Augment, CropMovesByEveryOffsetAndFillsBlack) {
  const Image image = test::noise_image(7, 5);
  std::set<std::pair<int64_t, int64_t>> seen;
  for (uint64_t i = 0; i < 400; ++i) {
    RandomStream random = stream(i), same = stream(i);
    const int64_t dy = 2 - static_cast<int64_t>(same.below(5));  // y is drawn first
    const int64_t dx = 2 - static_cast<int64_t>(same.below(5));
    ASSERT_EQ(augment(image, {.crop_padding = 2}, random).pixels, moved(image, dx, dy)) << dx << ", " << dy;
    seen.insert({dx, dy});
  }
  EXPECT_EQ(seen.size(), 25u);
}

TEST(Augment, CropPaddingLargerThanThePictureIsFine) {
  const Image image = test::noise_image(2, 3);
  for (uint64_t i = 0; i < 100; ++i) {
    RandomStream random = stream(i), same = stream(i);
    const int64_t dy = 9 - static_cast<int64_t>(same.below(19));
    const int64_t dx = 9 - static_cast<int64_t>(same.below(19));
    ASSERT_EQ(augment(image, {.crop_padding = 9}, random).pixels, moved(image, dx, dy));
  }
}

TEST(Augment, SameStreamSameBytesOtherStreamOthers) {
  const Image image = test::noise_image(28, 28);
  const AugmentConfig config{.flip = 0.5f,
                             .crop_padding = 3,
                             .rotate = 15,
                             .shift = 0.1f,
                             .scale = 0.1f,
                             .shear = 10,
                             .elastic = 1.5f,
                             .erase = 0.5f};
  RandomStream a = stream(1), b = stream(1), c = stream(2);
  const Image first = augment(image, config, a);
  EXPECT_EQ(first.pixels, augment(image, config, b).pixels);
  EXPECT_EQ(a.next_u32(), b.next_u32());
  EXPECT_NE(first.pixels, augment(image, config, c).pixels);
}

TEST(Augment, EraseReplacesOneRectangle) {
  Image white{40, 30, std::vector<uint8_t>(40 * 30 * 3, 255)};
  RandomStream random = stream();
  const Image out = augment(white, {.erase = 1}, random);
  int64_t left = 40, right = -1, top = 30, bottom = -1, changed = 0;
  for (int64_t y = 0; y < 30; ++y) {
    for (int64_t x = 0; x < 40; ++x) {
      const auto at = static_cast<size_t>((y * 40 + x) * 3);
      if (out.pixels[at] == 255 && out.pixels[at + 1] == 255 && out.pixels[at + 2] == 255) continue;
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
    EXPECT_EQ(warp(image, inverse_matrix({}, w, h), {}).pixels, image.pixels);
  }
}

TEST(Warp, WholeShiftsAreExact) {
  const Image image = test::noise_image(9, 6);
  EXPECT_EQ(warp(image, inverse_matrix({.shift_x = 2, .shift_y = -1}, 9, 6), {}).pixels, moved(image, 2, -1));
}

TEST(Warp, QuarterTurnIsClockwise) {
  const Image image = test::noise_image(6, 6);
  const Image out = warp(image, inverse_matrix({.degrees = 90}, 6, 6), {});
  for (int64_t y = 0; y < 6; ++y) {
    for (int64_t x = 0; x < 6; ++x) {  // clockwise: row y becomes column 5 - y
      ASSERT_EQ(out.pixels[static_cast<size_t>((x * 6 + 5 - y) * 3)],
                image.pixels[static_cast<size_t>((y * 6 + x) * 3)]);
    }
  }
}

TEST(Warp, DisplacementMovesTheLookup) {
  const Image image = test::noise_image(5, 4);
  const Displacement displacement{std::vector<float>(20, 1.0f), std::vector<float>(20, 2.0f)};
  EXPECT_EQ(warp(image, inverse_matrix({}, 5, 4), displacement).pixels, moved(image, -1, -2));
  EXPECT_THROW(warp(image, inverse_matrix({}, 5, 4), {std::vector<float>(20), {}}), Error);
}

TEST(RandomDisplacement, HasItsAmplitudeAndIsSmooth) {
  constexpr int64_t kSide = 256;
  RandomStream random = stream();
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
