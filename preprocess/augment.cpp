#include "preprocess/augment.h"

#include <algorithm>
#include <cmath>

#include "preprocess/warp.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "augment";
constexpr const char* kGroup = "Augmentation of training pictures";

constexpr OptionField<AugmentConfig> kFields[] = {
    {.name = "flip",
     .member = kMember<&AugmentConfig::flip>,
     .range = kZeroToOne,
     .option = "--augment-flip",
     .unit = "PROBABILITY",
     .group = kGroup,
     .help = "of a mirror image"},
    {.name = "crop_padding",
     .member = kMember<&AugmentConfig::crop_padding>,
     .range = Range{0, 1024},
     .option = "--augment-crop",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "of border before a random crop of the old size"},
    {.name = "rotate",
     .member = kMember<&AugmentConfig::rotate>,
     .range = Range{0, 180},
     .option = "--augment-rotate",
     .unit = "DEGREES",
     .group = kGroup,
     .help = "at most, either way"},
    {.name = "shift",
     .member = kMember<&AugmentConfig::shift>,
     .range = kZeroToOne,
     .option = "--augment-shift",
     .unit = "SHARE",
     .group = kGroup,
     .help = "of the side, at most, either way"},
    {.name = "scale",
     .member = kMember<&AugmentConfig::scale>,
     .range = Range{0, 0.99f},
     .option = "--augment-scale",
     .unit = "SHARE",
     .group = kGroup,
     .help = "larger or smaller by at most this"},
    {.name = "shear",
     .member = kMember<&AugmentConfig::shear>,
     .range = Range{0, 80},
     .option = "--augment-shear",
     .unit = "DEGREES",
     .group = kGroup,
     .help = "at most, either way"},
    {.name = "elastic",
     .member = kMember<&AugmentConfig::elastic>,
     .range = Range{0, 100},
     .option = "--augment-elastic",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "typical displacement of an elastic distortion"},
    {.name = "elastic_sigma",
     .member = kMember<&AugmentConfig::elastic_sigma>,
     .range = Range{0.25, 100},
     .option = "--augment-elastic-sigma",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "over which that displacement varies"},
    {.name = "erase",
     .member = kMember<&AugmentConfig::erase>,
     .range = kZeroToOne,
     .option = "--augment-erase",
     .unit = "PROBABILITY",
     .group = kGroup,
     .help = "of a rectangle of noise"},
};

Faults faults_of(const AugmentConfig& config) {
  Faults faults;
  check_options(augment_options(), config, faults);
  return faults;
}

/// The picture moved by (dx, dy) whole pixels; black comes in from outside.
Image shifted(const Image& image, int64_t dx, int64_t dy) {
  Image out{image.width, image.height, std::vector<uint8_t>(image.pixels.size())};
  const int64_t columns = image.width - std::abs(dx);
  if (columns <= 0) return out;
  for (int64_t y = std::max<int64_t>(dy, 0); y < image.height + std::min<int64_t>(dy, 0); ++y) {
    const uint8_t* from = image.pixels.data() + ((y - dy) * image.width + std::max<int64_t>(-dx, 0)) * 3;
    std::copy_n(from, columns * 3, out.pixels.data() + (y * image.width + std::max<int64_t>(dx, 0)) * 3);
  }
  return out;
}

Image random_crop(const Image& image, int64_t padding, RandomStream& random) {
  const auto offset = [&] {
    return padding - static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * padding + 1)));
  };
  const int64_t dy = offset();
  const int64_t dx = offset();
  return shifted(image, dx, dy);
}

void mirror(Image& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    uint8_t* row = image.pixels.data() + y * image.width * 3;
    for (int64_t left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * 3, row + left * 3 + 3, row + right * 3);
    }
  }
}

Image distort(const Image& image, const AugmentConfig& config, RandomStream& random) {
  Affine affine;
  const auto draw = [&](float range) { return static_cast<double>(range > 0 ? random.uniform(-range, range) : 0.0f); };
  affine.degrees = draw(config.rotate);
  affine.shift_x = draw(config.shift) * static_cast<double>(image.width);
  affine.shift_y = draw(config.shift) * static_cast<double>(image.height);
  affine.scale = 1.0 + draw(config.scale);
  affine.shear = draw(config.shear);
  Displacement displacement;
  if (config.elastic > 0) {
    displacement = random_displacement(image.width, image.height, config.elastic, config.elastic_sigma, random);
  }
  return warp(image, inverse_matrix(affine, image.width, image.height), displacement);
}

/// Noise over a rectangle; shapes that do not fit are drawn again, and after some tries the picture stays whole.
void erase_rectangle(Image& image, RandomStream& random) {
  constexpr int kTries = 10;
  constexpr float kLeastArea = 0.02f, kMostArea = 0.33f, kMostStretch = 3.3f;
  for (int i = 0; i < kTries; ++i) {
    const float area = random.uniform(kLeastArea, kMostArea) * static_cast<float>(image.width * image.height);
    const float stretch = std::exp(random.uniform(-std::log(kMostStretch), std::log(kMostStretch)));
    const int64_t height = std::llround(std::sqrt(area * stretch));
    const int64_t width = std::llround(std::sqrt(area / stretch));
    if (width < 1 || height < 1 || width >= image.width || height >= image.height) continue;
    const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.height - height + 1)));
    const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.width - width + 1)));
    for (int64_t y = top; y < top + height; ++y) {
      uint8_t* pixel = image.pixels.data() + (y * image.width + left) * 3;
      std::generate_n(pixel, width * 3, [&] { return static_cast<uint8_t>(random.next_u32() >> 24); });
    }
    return;
  }
}

}  // namespace

void validate(const AugmentConfig& config) { faults_of(config).raise(ErrorKind::usage, kTag); }

OptionTable<AugmentConfig> augment_options() { return kFields; }

nlohmann::json to_json(const AugmentConfig& config) { return options_json(augment_options(), config); }

AugmentConfig augment_config_from_json(const nlohmann::json& json, std::string_view where, ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  AugmentConfig config;
  read_options(augment_options(), fields, config);
  fields.allow_only(option_names(augment_options()));
  faults_of(config).raise(out_of_range, kTag, where);
  return config;
}

Image augment(const Image& image, const AugmentConfig& config, RandomStream& random) {
  validate(image);
  validate(config);
  Image out = config.crop_padding > 0 ? random_crop(image, config.crop_padding, random) : image;
  if (config.flip > 0 && random.uniform() < config.flip) mirror(out);
  const bool moves = config.rotate > 0 || config.shift > 0 || config.scale > 0 || config.shear > 0;
  if (moves || config.elastic > 0) out = distort(out, config, random);
  if (config.erase > 0 && random.uniform() < config.erase) erase_rectangle(out, random);
  return out;
}

}  // namespace vit
