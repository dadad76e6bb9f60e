#include "preprocess/config.h"

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "preprocess";
constexpr Range kSides{1, 1 << 14};  // in pixels

nlohmann::json channels_to_json(const std::array<float, 3>& values) {
  return {shortest_double(values[0]), shortest_double(values[1]), shortest_double(values[2])};
}

std::array<float, 3> channels_from_json(const JsonFields& fields, const char* name) {
  const nlohmann::json& json = fields.field(name);
  if (!json.is_array() || json.size() != 3) fields.reject_field(name, "3 numbers");
  return {fields.to_float(json[0], name), fields.to_float(json[1], name), fields.to_float(json[2], name)};
}

Faults faults_of(const PreprocessConfig& config) {
  Faults faults;
  faults.range("size", config.size, kSides);
  if (config.rule == ResizeRule::shorter_side)
    faults.range("resize_size", config.resize_size, {static_cast<double>(config.size), kSides.high});
  const auto channel = [&](const char* name, const std::array<float, 3>& values, const Range& range) {
    for (size_t c = 0; c < values.size(); ++c)
      faults.check(range.contains(static_cast<double>(values[c])), name, "[", c, "]: needs ", range.text(), ", has ",
                   values[c], "; is it of pixels in 0..255?");
  };
  channel("mean", config.mean, kZeroToOne);
  channel("std", config.std, {.low = 0, .high = 1, .open_low = true});
  return faults;
}

}  // namespace

void validate(const PreprocessConfig& config) { faults_of(config).raise(ErrorKind::usage, kTag); }

nlohmann::json to_json(const PreprocessConfig& config) {
  return {{"size", config.size},
          {"resize_size", config.resize_size},
          {"rule", word_of(config.rule)},
          {"interpolation", word_of(config.interpolation)},
          {"mean", channels_to_json(config.mean)},
          {"std", channels_to_json(config.std)},
          {"exif_rotate", config.exif_rotate}};
}

PreprocessConfig preprocess_config_from_json(const nlohmann::json& json, std::string_view where,
                                             ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  fields.allow_only({"size", "resize_size", "rule", "interpolation", "mean", "std", "exif_rotate"});
  PreprocessConfig config;
  config.size = fields.integer("size");
  config.rule = fields.word<ResizeRule>("rule");
  config.interpolation = fields.word<Interpolation>("interpolation");
  config.mean = channels_from_json(fields, "mean");
  config.std = channels_from_json(fields, "std");
  if (fields.has("exif_rotate")) config.exif_rotate = fields.flag("exif_rotate");  // older files have none
  // Without an effect under `squash`, where it may be left out.
  const bool needs_resize_size = config.rule == ResizeRule::shorter_side || fields.has("resize_size");
  config.resize_size = needs_resize_size ? fields.integer("resize_size") : config.size;
  faults_of(config).raise(out_of_range, kTag, where);
  return config;
}

}  // namespace vit
