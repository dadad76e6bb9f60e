#include "preprocess/augment.h"

#include <algorithm>
#include <cmath>

#include "preprocess/warp.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "augment";
constexpr Range kCropPadding{0, 1024};

/// A real-valued field of AugmentConfig, its name in JSON, and the values it may have.
struct Field {
  const char* name;
  float AugmentConfig::*value;
  Range range;
};
constexpr Field kFields[] = {
    {"flip", &AugmentConfig::flip, kZeroToOne},
    {"rotate", &AugmentConfig::rotate, {0, 180}},
    {"shift", &AugmentConfig::shift, kZeroToOne},
    {"scale", &AugmentConfig::scale, {0, 0.99f}},
    {"shear", &AugmentConfig::shear, {0, 80}},
    {"elastic", &AugmentConfig::elastic, {0, 100}},
    {"elastic_sigma", &AugmentConfig::elastic_sigma, {0.25, 100}},
    {"erase", &AugmentConfig::erase, kZeroToOne},
};

Faults faults_of(const AugmentConfig& config) {
  Faults faults;
  for (const Field& field : kFields) faults.range(field.name, config.*field.value, field.range);
  faults.range("crop_padding", config.crop_padding, kCropPadding);
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

nlohmann::json to_json(const AugmentConfig& config) {
  nlohmann::json json = {{"crop_padding", config.crop_padding}};
  for (const Field& field : kFields) json[field.name] = shortest_double(config.*field.value);
  return json;
}

AugmentConfig augment_config_from_json(const nlohmann::json& json, std::string_view where, ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  std::vector<std::string_view> names = {"crop_padding"};
  AugmentConfig config;
  if (fields.has("crop_padding")) config.crop_padding = fields.integer("crop_padding");
  for (const Field& field : kFields) {
    names.push_back(field.name);
    if (fields.has(field.name)) config.*field.value = fields.number(field.name);
  }
  fields.allow_only(names);
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
