#include "vit/model/config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"

namespace vit {

template <>
inline constexpr Word<Activation> kWords<Activation>[] = {{Activation::gelu_erf, "gelu"},
                                                          {Activation::gelu_tanh, "gelu_tanh"}};
template <>
inline constexpr Word<Pooling> kWords<Pooling>[] = {{Pooling::class_token, "token"}, {Pooling::mean, "avg"}};
template <>
inline constexpr Word<PositionEmbedding> kWords<PositionEmbedding>[] = {{PositionEmbedding::learned, "learned"},
                                                                        {PositionEmbedding::sincos_1d, "sincos_1d"},
                                                                        {PositionEmbedding::sincos_2d, "sincos_2d"}};

namespace {

struct Preset {
  std::string_view name;
  int64_t image_size, patch_size, width, depth, heads, classes;
};

constexpr std::array kPresets{
    Preset{"vit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000},
    Preset{"vit_small_patch16_224", 224, 16, 384, 12, 6, 1000},
    Preset{"vit_base_patch16_224", 224, 16, 768, 12, 12, 1000},
    Preset{"vit_large_patch16_224", 224, 16, 1024, 24, 16, 1000},
    Preset{"vit_tiny9_patch4_32", 32, 4, 192, 9, 3, 10},
    Preset{"vit_tiny6_patch4_32", 32, 4, 192, 6, 3, 10},
    Preset{"vit_micro_patch4_20", 20, 4, 96, 4, 3, 10},
};

// Bounds that no published model comes near; they keep every product of sizes far inside 64 bits.
constexpr Range kSide{1, 1 << 14};
constexpr Range kWidth{1, 1 << 16};
constexpr Range kMlpWidth{1, 1 << 18};
constexpr Range kDepth{1, 1024};
constexpr Range kClasses{0, 1 << 22};
constexpr Range kEps{.low = 0, .high = 1, .open_low = true, .open_high = true};
constexpr int64_t kMaxTable = int64_t{1} << 30;

Faults faults_of(const ModelConfig& c) {
  Faults faults;
  faults.range("image_size", c.image_size, kSide);
  faults.range("patch_size", c.patch_size, kSide);
  faults.check(c.patch_size < 1 || c.image_size % c.patch_size == 0, "image_size ", c.image_size,
               " is not a multiple of patch_size ", c.patch_size);
  faults.range("channels", c.channels, {3, 3});
  faults.range("width", c.width, kWidth);
  faults.range("depth", c.depth, kDepth);
  faults.range("heads", c.heads, kWidth);
  faults.check(c.heads < 1 || c.width % c.heads == 0, "width ", c.width, " is not a multiple of heads ", c.heads);
  faults.range("mlp_width", c.mlp_width, kMlpWidth);
  faults.range("classes", c.classes, kClasses);
  faults.range("eps", c.eps, kEps);
  faults.check(c.activation != Activation::none, "activation needs ", word_list<Activation>());
  faults.check(c.pooling != Pooling::class_token || c.class_token, "pooling by class token needs class_token");
  faults.check(c.position != PositionEmbedding::sincos_1d || c.width % 2 == 0, "sincos_1d needs an even width");
  faults.check(c.position != PositionEmbedding::sincos_2d || c.width % 4 == 0,
               "sincos_2d needs a width divisible by 4");
  faults.check(std::isfinite(c.layer_scale_init), "layer_scale_init is not finite");
  if (faults.empty() && c.tokens() * c.width > kMaxTable)
    faults.check(false, "tokens x width needs at most ", kMaxTable, ", has ", c.tokens() * c.width);
  return faults;
}

}  // namespace

void validate(const ModelConfig& c) { faults_of(c).raise(ErrorKind::usage, "model config", c.name); }

std::vector<std::string> model_preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : kPresets) names.emplace_back(p.name);
  return names;
}

ModelConfig model_preset(std::string_view name) {
  std::string names;
  for (const Preset& p : kPresets) {
    if (p.name == name) {
      ModelConfig c;
      c.name = p.name;
      c.image_size = p.image_size;
      c.patch_size = p.patch_size;
      c.width = p.width;
      c.depth = p.depth;
      c.heads = p.heads;
      c.mlp_width = 4 * p.width;
      c.classes = p.classes;
      return c;
    }
    names += concat(names.empty() ? "" : ", ", p.name);
  }
  fail(ErrorKind::usage, "[model] no preset is named '", name, "'; there are ", names);
}

nlohmann::json to_json(const ModelConfig& c) {
  return {{"name", c.name},
          {"image_size", c.image_size},
          {"patch_size", c.patch_size},
          {"channels", c.channels},
          {"width", c.width},
          {"depth", c.depth},
          {"heads", c.heads},
          {"mlp_width", c.mlp_width},
          {"classes", c.classes},
          {"eps", shortest_double(c.eps)},
          {"activation", word_of(c.activation)},
          {"pooling", word_of(c.pooling)},
          {"position", word_of(c.position)},
          {"class_token", c.class_token},
          {"qkv_bias", c.qkv_bias},
          {"layer_scale", c.layer_scale},
          {"layer_scale_init", shortest_double(c.layer_scale_init)}};
}

ModelConfig model_config_from_json(const nlohmann::json& json, std::string_view where, ErrorKind out_of_range) {
  const JsonFields fields(json, "model config", where);
  ModelConfig c;
  c.name = fields.text("name");
  c.image_size = fields.integer("image_size");
  c.patch_size = fields.integer("patch_size");
  c.channels = fields.integer("channels");
  c.width = fields.integer("width");
  c.depth = fields.integer("depth");
  c.heads = fields.integer("heads");
  c.mlp_width = fields.integer("mlp_width");
  c.classes = fields.integer("classes");
  c.eps = fields.number("eps");
  c.activation = fields.word<Activation>("activation");
  c.pooling = fields.word<Pooling>("pooling");
  c.position = fields.word<PositionEmbedding>("position");
  c.class_token = fields.flag("class_token");
  c.qkv_bias = fields.flag("qkv_bias");
  c.layer_scale = fields.flag("layer_scale");
  c.layer_scale_init = fields.number("layer_scale_init");
  faults_of(c).raise(out_of_range, "model config", concat(c.name, " in ", where));
  return c;
}

}  // namespace vit
