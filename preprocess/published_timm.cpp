// What the files of timm and open_clip beside their weights say of preprocessing.
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "preprocess/published.h"
#include "preprocess/published_reader.h"
#include "preprocess/published_scale.h"

namespace vit {
namespace {

using nlohmann::json;
using namespace published;

Interpolation interpolation_of(const Reader& fields, const char* name) {
  const std::string word = fields.text(name, "bicubic");
  const auto filter = find_word<Interpolation>(word);
  if (!filter || word == "area") fields.reject_field(name, "one of the six filters of Pillow");
  return *filter;
}

// ---- timm

/// Of pretrained_cfg, besides those that say how pixels are made.
constexpr std::string_view kTimmFields[] = {"input_size",
                                            "test_input_size",
                                            "min_input_size",
                                            "fixed_input_size",
                                            "interpolation",
                                            "crop_pct",
                                            "test_crop_pct",
                                            "crop_mode",
                                            "mean",
                                            "std",
                                            "url",
                                            "file",
                                            "state_dict",
                                            "hf_hub_id",
                                            "hf_hub_filename",
                                            "source",
                                            "architecture",
                                            "tag",
                                            "custom_load",
                                            "num_classes",
                                            "label_offset",
                                            "label_names",
                                            "label_descriptions",
                                            "labels",
                                            "pool_size",
                                            "test_pool_size",
                                            "first_conv",
                                            "classifier",
                                            "license",
                                            "description",
                                            "origin_url",
                                            "paper_name",
                                            "paper_ids",
                                            "notes",
                                            "num_features",
                                            "global_pool",
                                            "model_args"};

/// The side of input_size; model_args win where the model has one size.
int64_t timm_side(const Reader& fields, const json& file) {
  int64_t side = 224;
  if (fields.has("input_size")) {
    const json& shape = fields.value("input_size");
    if (!shape.is_array() || shape.size() != 3 || shape[0] != 3) fields.reject_field("input_size", "[3, side, side]");
    side = fields.side("input_size", json::array({shape[1], shape[2]}));
  }
  if (!fields.flag("fixed_input_size", false) || !file.contains("model_args")) return side;
  const json& arguments = file.at("model_args");
  const auto truthy = [&](const char* name) { return arguments.value(name, json()) == json(true); };
  if (!arguments.is_object() || truthy("dynamic_img_size") || truthy("use_naflex") ||
      arguments.value("strict_img_size", json()) == json(false) || arguments.value("img_size", json()).is_null())
    return side;
  return fields.side("model_args.img_size", arguments.at("img_size"));
}

void set_timm_crop(const Reader& fields, double crop_pct, PreprocessConfig& config) {
  const std::string mode = fields.text("crop_mode", "center");
  config.resize_size = timm_resize(config.size, crop_pct);
  if (mode == "center") {
    config.rule = ResizeRule::shorter_side;
  } else if (mode == "squash") {
    config.rule = config.resize_size == config.size ? ResizeRule::squash : ResizeRule::squash_crop;
  } else if (mode == "border") {
    config.rule = ResizeRule::longer_side;
    for (std::size_t c = 0; c < config.fill.size(); ++c)
      config.fill[c] = std::llrint(255 * shortest_double(config.mean[c]));
  } else {
    fields.reject_field("crop_mode", "center, squash or border");
  }
  config.pad = config.rule != ResizeRule::longer_side && config.resize_size < config.size;
}

constexpr std::string_view kOpenClipFields[] = {"size",          "mode",        "mean",      "std",
                                                "interpolation", "resize_mode", "fill_color"};

}  // namespace

PublishedRule preprocess_from_timm(const json& file, std::string_view where, int64_t side) {
  if (!file.is_object()) JsonFields(file, "config.json", where);  // throws
  const Reader fields(file.contains("pretrained_cfg") ? file.at("pretrained_cfg") : file, "pretrained_cfg", where);
  PublishedRule rule;
  PreprocessConfig& config = rule.config;
  config.size = side > 0 ? side : timm_side(fields, file);
  config.interpolation = interpolation_of(fields, "interpolation");
  config.mean = fields.color("mean", kImageNetMean, false);
  config.std = fields.color("std", kImageNetStd, false);
  config.decoding = Decoding::pillow;
  constexpr double kCropPct = 0.875;
  double crop_pct = fields.real("crop_pct", 0);
  if (crop_pct < 0) fields.reject_field("crop_pct", "a number above 0");
  if (crop_pct == 0) {
    crop_pct = kCropPct;
    rule.notes.push_back("crop_pct is not in the file: 0.875, which timm takes then");
  }
  for (const char* name : {"mean", "std"})
    if (!fields.has(name)) rule.notes.push_back(concat(name, " is not in the file: ImageNet's, which timm takes then"));
  set_timm_crop(fields, crop_pct, config);
  for (const char* name : {"test_input_size", "test_crop_pct"})
    if (fields.has(name))
      rule.notes.push_back(concat(name, " ", json_text(fields.value(name)), " is not used, as timm does by default"));
  fields.note_others(kTimmFields, rule.notes);
  return checked(std::move(rule), where);
}

// ---- open_clip

PublishedRule preprocess_from_open_clip(const json& file, std::string_view where, int64_t side) {
  if (!file.is_object()) JsonFields(file, "open_clip_config.json", where);  // throws
  const json empty = json::object();
  const Reader fields(file.contains("preprocess_cfg") ? file.at("preprocess_cfg") : empty, "preprocess_cfg", where);
  PublishedRule rule;
  PreprocessConfig& config = rule.config;
  const json::json_pointer model_size("/model_cfg/vision_cfg/image_size");
  if (side > 0)
    config.size = side;
  else if (file.contains(model_size))
    config.size = fields.side("image_size", file.at(model_size));
  else if (fields.has("size"))
    config.size = fields.side("size", fields.value("size"));
  config.resize_size = config.size;
  config.mean = fields.color("mean", kClipMean, true);
  config.std = fields.color("std", kClipStd, true);
  config.decoding = Decoding::pillow;
  const std::string filter = fields.text("interpolation", "bicubic");
  if (filter != "bicubic" && filter != "bilinear" && filter != "random")
    fields.reject_field("interpolation", "bicubic, bilinear or random");
  config.interpolation = filter == "bilinear" ? Interpolation::bilinear : Interpolation::bicubic;
  const std::string mode = fields.text("resize_mode", "shortest");
  if (mode != "shortest" && mode != "longest" && mode != "squash")
    fields.reject_field("resize_mode", "shortest, longest or squash");
  config.rule = mode == "shortest"  ? ResizeRule::shorter_side
                : mode == "longest" ? ResizeRule::longer_side
                                    : ResizeRule::squash;
  const double fill = fields.real("fill_color", 0);
  if (fill != std::floor(fill) || fill < 0 || fill > 255) fields.reject_field("fill_color", "a whole number in 0..255");
  if (config.rule == ResizeRule::longer_side) config.fill.fill(static_cast<int64_t>(fill));
  if (fields.text("mode", "RGB") != "RGB") fields.reject_field("mode", "RGB");
  fields.note_others(kOpenClipFields, rule.notes);
  return checked(std::move(rule), where);
}

PublishedRule published_preprocess(const json& file, std::string_view where, int64_t side, std::string_view processor) {
  const auto has = [&file](const char* name) { return file.contains(name); };
  if (has("preprocess_cfg") || has("model_cfg")) return preprocess_from_open_clip(file, where, side);
  if (has("pretrained_cfg") || has("architecture")) return preprocess_from_timm(file, where, side);
  if (has("image_processor") || has("image_processor_type") || has("feature_extractor_type") || has("image_mean") ||
      !processor.empty())
    return preprocess_from_transformers(file, where, side, processor);
  fail(ErrorKind::data, "[preprocess] needs pretrained_cfg (timm), preprocess_cfg (open_clip) or image_processor_type ",
       "(transformers), has none (", where, ")");
}

}  // namespace vit
