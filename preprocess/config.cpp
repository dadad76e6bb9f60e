#include "preprocess/config.h"

#include <cmath>
#include <string>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "preprocess";
constexpr int64_t kMaxSize = 1 << 14;  // a side in pixels

template <class Value>
struct Name {
  Value value;
  std::string_view text;
};
constexpr Name<ResizeRule> kRules[] = {{ResizeRule::squash, "squash"}, {ResizeRule::shorter_side, "shorter_side"}};
constexpr Name<Interpolation> kInterpolations[] = {
    {Interpolation::bilinear, "bilinear"}, {Interpolation::bicubic, "bicubic"}, {Interpolation::area, "area"}};

template <class Value, size_t n>
std::string name_of(const Name<Value> (&names)[n], Value value) {
  for (const auto& name : names) {
    if (name.value == value) return std::string(name.text);
  }
  return concat(static_cast<int>(value));
}

template <class Value, size_t n>
Value value_of(const Name<Value> (&names)[n], const JsonFields& fields, const char* field) {
  const std::string text = fields.text(field);
  std::string known;
  for (const auto& name : names) {
    if (name.text == text) return name.value;
    known += concat(known.empty() ? "" : ", ", name.text);
  }
  fields.reject("field '", field, "' needs one of ", known, "; has '", text, "'");
}

nlohmann::json channels_to_json(const std::array<float, 3>& values) {
  return {shortest_double(values[0]), shortest_double(values[1]), shortest_double(values[2])};
}

std::array<float, 3> channels_from_json(const JsonFields& fields, const char* name) {
  const nlohmann::json& json = fields.field(name);
  if (!json.is_array() || json.size() != 3) fields.reject("field '", name, "' needs 3 numbers, has ", json_text(json));
  return {fields.to_float(json[0], name), fields.to_float(json[1], name), fields.to_float(json[2], name)};
}

/// What is wrong with the config, one text a fault.
std::vector<std::string> faults_of(const PreprocessConfig& config) {
  std::vector<std::string> faults;
  if (config.size < 1 || config.size > kMaxSize) {
    faults.push_back(concat("size must be 1 to ", kMaxSize, ", is ", config.size));
  }
  if (config.rule == ResizeRule::shorter_side && (config.resize_size < config.size || config.resize_size > kMaxSize)) {
    faults.push_back(concat("resize_size must be at least size ", config.size, " and at most ", kMaxSize, ", is ",
                            config.resize_size));
  }
  for (size_t c = 0; c < 3; ++c) {
    if (!(config.mean[c] >= 0 && config.mean[c] <= 1)) {
      faults.push_back(concat("mean[", c, "] must be 0 to 1, is ", config.mean[c], "; is it of pixels in 0..255?"));
    }
    if (!(config.std[c] > 0 && config.std[c] <= 1)) {
      faults.push_back(
          concat("std[", c, "] must be more than 0 and at most 1, is ", config.std[c], "; is it of pixels in 0..255?"));
    }
  }
  return faults;
}

std::string join(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += concat(all.empty() ? "" : "; ", text);
  return all;
}

}  // namespace

void validate(const PreprocessConfig& config) {
  const std::vector<std::string> faults = faults_of(config);
  if (!faults.empty()) fail(ErrorKind::usage, "[", kTag, "] ", join(faults));
}

nlohmann::json to_json(const PreprocessConfig& config) {
  return {{"size", config.size},
          {"resize_size", config.resize_size},
          {"rule", name_of(kRules, config.rule)},
          {"interpolation", name_of(kInterpolations, config.interpolation)},
          {"mean", channels_to_json(config.mean)},
          {"std", channels_to_json(config.std)}};
}

PreprocessConfig preprocess_config_from_json(const nlohmann::json& json, std::string_view where) {
  const JsonFields fields(json, kTag, where);
  fields.allow_only({"size", "resize_size", "rule", "interpolation", "mean", "std"});
  PreprocessConfig config;
  config.size = fields.integer("size");
  config.rule = value_of(kRules, fields, "rule");
  config.interpolation = value_of(kInterpolations, fields, "interpolation");
  config.mean = channels_from_json(fields, "mean");
  config.std = channels_from_json(fields, "std");
  // Without an effect under `squash`, where it may be left out.
  const bool needs_resize_size = config.rule == ResizeRule::shorter_side || fields.has("resize_size");
  config.resize_size = needs_resize_size ? fields.integer("resize_size") : config.size;
  const std::vector<std::string> faults = faults_of(config);
  if (!faults.empty()) fields.reject(join(faults));
  return config;
}

}  // namespace vit
