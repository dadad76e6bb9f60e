// Preprocessing in the words of timm and transformers. What was written is read back as any published file is: what it
// would make of pictures must be what the model was made for.
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "infer/export/weights_files.h"
#include "preprocess/published.h"
#include "vit/core/json_text.h"
#include "vit/core/options.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

/// Pillow's own word.
std::string_view filter_word(Interpolation filter) { return filter == Interpolation::box ? "box" : word_of(filter); }

/// The share that a crop of `size` keeps, so that floor(size / share) is `resize`.
double crop_share(int64_t size, int64_t resize) {
  const auto side = static_cast<double>(size);
  double share = side / static_cast<double>(resize);
  while (std::floor(side / share) < static_cast<double>(resize)) share = std::nextafter(share, 0);
  return share;
}

/// Fields whose values differ: "interpolation is bicubic there and lanczos here".
std::string differences(const PreprocessConfig& there, const PreprocessConfig& here) {
  std::string text;
  for (const OptionField<PreprocessConfig>& field : preprocess_options()) {
    const nlohmann::json a = field.member.write(there), b = field.member.write(here);
    if (a != b) text += concat(text.empty() ? "" : "; ", field.name, " is ", json_text(a), " there and ", json_text(b));
  }
  return text;
}

/// Notes what few pictures show, and refuses what all do.
void compare(std::string_view schema, PublishedRule read, const PreprocessConfig& wanted, WeightsFiles& files) {
  PreprocessConfig& there = read.config;
  PreprocessConfig few = wanted;
  few.decoding = there.decoding;
  few.exif_rotate = there.exif_rotate;
  few.crop_rounding = there.crop_rounding;
  if (!same_geometry(there, few) || there.mean != few.mean || there.std != few.std)
    fail(ErrorKind::usage, "[export] ", schema, " has no words for this preprocessing: ", differences(there, few),
         " here; a file OUT.safetensors holds the weights alone");
  if (same_geometry(there, wanted)) there.crop_rounding = wanted.crop_rounding;  // which has no effect
  there.resize_size = wanted.resize_size;
  if (const std::string text = differences(there, wanted); !text.empty())
    files.notes.push_back(concat("few pictures look different: ", text, " here"));
}

}  // namespace

void add_timm_preprocess(const PreprocessConfig& p, WeightsFiles& files) {
  Json& config = files.config["pretrained_cfg"];
  const bool whole = p.rule == ResizeRule::squash;
  config["interpolation"] = filter_word(p.interpolation);
  config["crop_pct"] = whole ? 1.0 : crop_share(p.size, p.resize_size);
  config["crop_mode"] = p.rule == ResizeRule::shorter_side  ? "center"
                        : p.rule == ResizeRule::longer_side ? "border"
                                                            : "squash";
  const nlohmann::json ours = to_json(p);
  config["mean"] = ours["mean"];
  config["std"] = ours["std"];
  compare("timm", preprocess_from_timm(files.config, "config.json"), p, files);
}

void add_hf_preprocess(const PreprocessConfig& p, WeightsFiles& files) {
  // As the codes of Pillow.
  constexpr Interpolation kCodes[] = {Interpolation::nearest, Interpolation::lanczos, Interpolation::bilinear,
                                      Interpolation::bicubic, Interpolation::box,     Interpolation::hamming};
  const auto square = [](int64_t side) { return Json{{"height", side}, {"width", side}}; };
  const bool shortest = p.rule == ResizeRule::shorter_side, whole = p.rule == ResizeRule::squash;
  const nlohmann::json ours = to_json(p);
  Json& json = files.preprocessor;
  json = {{"image_processor_type", p.resize_on == ResizeOn::floats ? "DINOv3ViTImageProcessor"
                                   : shortest                      ? "BitImageProcessor"
                                   : whole                         ? "ViTImageProcessor"
                                                                   : "DeiTImageProcessor"},
          {"do_convert_rgb", true},
          {"do_resize", true},
          {"size", shortest ? Json{{"shortest_edge", p.resize_size}} : square(whole ? p.size : p.resize_size)},
          {"resample", std::ranges::find(kCodes, p.interpolation) - kCodes},
          {"do_center_crop", !whole}};
  if (!whole) json["crop_size"] = square(p.size);
  json.update(Json{{"do_rescale", true},
                   {"rescale_factor", 1.0 / 255},
                   {"do_normalize", true},
                   {"image_mean", ours["mean"]},
                   {"image_std", ours["std"]}});
  files.notes.push_back(
      "AutoImageProcessor with use_fast=False gives the pixels of here; others may be a grey level off");
  compare("transformers", preprocess_from_transformers(json, "preprocessor_config.json"), p, files);
}

}  // namespace vit
