// What transformers' preprocessor_config.json and processor_config.json say.
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include "preprocess/published.h"
#include "preprocess/published_reader.h"
#include "preprocess/published_scale.h"
#include "vit/core/word_rows.h"

namespace vit {
namespace {

using namespace published;

/// What a class has where its file says nothing.
struct Processor {
  const char* word;
  bool shortest;  // `size` is that of the shortest edge, else of a square
  int64_t size;
  int64_t crop_size;  // 0: none
  Interpolation interpolation;
  Color mean, std;
  bool int_is_square = true;  // what a `size` of one number means
  ResizeOn resize_on = ResizeOn::bytes;
};

constexpr auto kCubic = Interpolation::bicubic;
constexpr auto kLinear = Interpolation::bilinear;

constexpr Processor kProcessors[] = {
    {"ViTImageProcessor", false, 224, 0, kLinear, kHalf, kHalf},
    {"DeiTImageProcessor", false, 256, 224, kCubic, kHalf, kHalf},
    {"BeitImageProcessor", false, 224, 0, kCubic, kHalf, kHalf},
    {"BitImageProcessor", true, 224, 224, kCubic, kClipMean, kClipStd, false},
    {"CLIPImageProcessor", true, 224, 224, kCubic, kClipMean, kClipStd, false},
    {"ChineseCLIPImageProcessor", true, 224, 224, kCubic, kClipMean, kClipStd, false},
    {"BlipImageProcessor", false, 384, 0, kCubic, kClipMean, kClipStd},
    {"SiglipImageProcessor", false, 224, 0, kCubic, kHalf, kHalf, false},
    {"DINOv3ViTImageProcessor", false, 224, 0, kLinear, kImageNetMean, kImageNetStd, true, ResizeOn::floats},
};

struct ModelType {
  const char* word;
  const char* processor;
};

constexpr ModelType kModelTypes[] = {
    {"vit", "ViTImageProcessor"},
    {"vit_mae", "ViTImageProcessor"},
    {"vit_msn", "ViTImageProcessor"},
    {"ijepa", "ViTImageProcessor"},
    {"deit", "DeiTImageProcessor"},
    {"beit", "BeitImageProcessor"},
    {"dinov2", "BitImageProcessor"},
    {"dinov2_with_registers", "BitImageProcessor"},
    {"clip", "CLIPImageProcessor"},
    {"clip_vision_model", "CLIPImageProcessor"},
    {"aimv2", "CLIPImageProcessor"},
    {"aimv2_vision_model", "CLIPImageProcessor"},
    {"siglip", "SiglipImageProcessor"},
    {"siglip_vision_model", "SiglipImageProcessor"},
    {"dinov3_vit", "DINOv3ViTImageProcessor"},
};

/// Read, or of no effect on pixels that end as squares of RGB.
constexpr std::string_view kFields[] = {
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "_processor_class",
    "_valid_processor_keys",
    "do_resize",
    "size",
    "resample",
    "default_to_square",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "do_convert_rgb",
    "do_pad",
    "pad_size",
    "do_flip_channel_order",
    "rescale_offset",
    "do_reduce_labels",
    "return_tensors",
    "data_format",
    "input_data_format",
    "device",
    "disable_grouping",
    "auto_map",
    "use_square_size",
};

/// "ViTFeatureExtractor", "ViTImageProcessorFast" and "ViTImageProcessorPil" are ViTImageProcessor.
std::string class_name(std::string name) {
  for (const std::string_view ending : {"Fast", "Pil"})
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  constexpr std::string_view kOld = "FeatureExtractor";
  if (name.ends_with(kOld)) name.replace(name.size() - kOld.size(), kOld.size(), "ImageProcessor");
  return name;
}

const Processor& processor_of(const Reader& fields, std::string_view fallback) {
  const char* field = fields.has("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
  const std::string name = class_name(fields.text(field, std::string(fallback).c_str()));
  if (const Processor* processor = find_row(kProcessors, name)) return *processor;
  if (name == "Siglip2ImageProcessor")
    fields.reject(field, ": ", name, " keeps the shape of pictures, but models here take squares");
  fields.reject(field, ": needs one of ", word_list(row_words(kProcessors)), ", has ",
                name.empty() ? "none" : json_text(json(name)), "; name a rule instead (--preprocess)");
}

/// `size` of a file.
struct Size {
  bool shortest = false;
  int64_t side = 0;
};

Size size_of(const Reader& fields, const Processor& processor) {
  if (!fields.has("size")) return {processor.shortest, processor.size};
  const json& size = fields.value("size");
  if (!size.is_object()) {
    const bool square = fields.flag("default_to_square", processor.int_is_square) || size.is_array();
    return {!square, fields.side("size", size)};
  }
  const auto has = [&size](const char* name) { return size.contains(name) && !size[name].is_null(); };
  const bool square = has("height") && has("width"), shortest = has("shortest_edge");
  if (square == shortest || has("longest_edge") || has("max_height") || has("max_width"))
    fields.reject_field("size", "height and width, or shortest_edge alone");
  if (shortest) return {true, fields.side("size", size["shortest_edge"])};
  return {false, fields.side("size", json::array({size["height"], size["width"]}))};
}

/// 0: no crop.
int64_t crop_of(const Reader& fields, const Processor& processor) {
  if (!fields.flag("do_center_crop", processor.crop_size > 0)) return 0;
  if (!fields.has("crop_size")) {
    if (processor.crop_size == 0) fields.reject("do_center_crop is true and crop_size is missing");
    return processor.crop_size;
  }
  const json& size = fields.value("crop_size");
  if (!size.is_object()) return fields.side("crop_size", size);
  if (!size.contains("height") || !size.contains("width")) fields.reject_field("crop_size", "height and width");
  return fields.side("crop_size", json::array({size["height"], size["width"]}));
}

Interpolation resample_of(const Reader& fields, const Processor& processor) {
  constexpr Interpolation kCodes[] = {Interpolation::nearest, Interpolation::lanczos, Interpolation::bilinear,
                                      Interpolation::bicubic, Interpolation::box,     Interpolation::hamming};
  if (!fields.has("resample")) return processor.interpolation;
  const json& code = fields.value("resample");
  if (!code.is_number_integer() || code < 0 || code > std::ssize(kCodes) - 1)
    fields.reject_field("resample", "0 to 5, a filter of Pillow");
  return kCodes[code.get<std::size_t>()];
}

/// (value * factor - mean) / std as our (value / 255 - mean) / std.
void set_numbers(const Reader& fields, const Processor& processor, PublishedRule& rule) {
  PreprocessConfig& config = rule.config;
  const bool normalizes = fields.flag("do_normalize", true);
  config.mean = normalizes ? fields.color("image_mean", processor.mean, true) : kZero;
  config.std = normalizes ? fields.color("image_std", processor.std, true) : kOne;
  const double factor = fields.flag("do_rescale", true) ? fields.real("rescale_factor", 1.0 / 255) : 1;
  if (!(factor > 0) || !std::isfinite(factor)) fields.reject("rescale_factor: needs a number above 0, has ", factor);
  if (!normalizes) rule.notes.push_back("do_normalize is false: mean 0 and std 1");
  if (std::abs(factor * 255 - 1) < 1e-9) return;
  for (std::size_t c = 0; c < config.mean.size(); ++c) {
    config.mean[c] = static_cast<float>(static_cast<double>(config.mean[c]) / (255 * factor));
    config.std[c] = static_cast<float>(static_cast<double>(config.std[c]) / (255 * factor));
  }
  rule.notes.push_back(
      concat("pixels are scaled by ", factor, " and not by 1/255: mean and std are divided by ", 255 * factor));
}

}  // namespace

std::string_view transformers_processor(std::string_view model_type) {
  const ModelType* row = find_row(kModelTypes, model_type);
  return row == nullptr ? "" : row->processor;
}

PublishedRule preprocess_from_transformers(const json& file, std::string_view where, int64_t side,
                                           std::string_view processor_name) {
  if (file.is_object() && file.contains("image_processor"))
    return preprocess_from_transformers(file.at("image_processor"), where, side, processor_name);
  if (file.is_object() && file.contains("pretrained_cfg")) return preprocess_from_timm(file, where, side);
  const Reader fields(file, "preprocessor_config", where);
  const Processor& processor = processor_of(fields, processor_name);
  for (const char* name : {"do_pad", "do_flip_channel_order", "rescale_offset", "use_square_size"})
    if (fields.flag(name, false)) fields.reject(name, ": needs false, has true");
  if (!fields.flag("do_resize", true)) fields.reject("do_resize: needs true, as models take squares of one size");

  PublishedRule rule;
  PreprocessConfig& config = rule.config;
  const Size size = size_of(fields, processor);
  const int64_t crop = crop_of(fields, processor);
  if (size.shortest && crop == 0)
    fields.reject("size has a shortest_edge and do_center_crop is false: pictures would not become squares");
  config.size = crop > 0 ? crop : size.side;
  config.resize_size = size.side;
  config.rule = size.shortest                       ? ResizeRule::shorter_side
                : config.resize_size == config.size ? ResizeRule::squash
                                                    : ResizeRule::squash_crop;
  config.pad = config.resize_size < config.size;
  config = scaled(config, side);
  config.crop_rounding = CropRounding::floor;
  config.interpolation = resample_of(fields, processor);
  config.resize_on = processor.resize_on;
  config.decoding = Decoding::pillow;
  set_numbers(fields, processor, rule);
  if (config.resize_on == ResizeOn::bytes)
    rule.notes.push_back(
        concat("pixels are those of ", processor.word, "Pil; by ", processor.word, " some differ by a grey level"));
  fields.note_others(kFields, rule.notes);
  return checked(std::move(rule), where);
}

}  // namespace vit
