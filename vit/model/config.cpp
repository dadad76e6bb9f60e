#include "vit/model/config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/core/json_fields.h"

namespace vit {
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

template <class Enum>
struct Word {
  Enum value;
  std::string_view word;
};

constexpr std::array kActivations{Word<Activation>{Activation::gelu_erf, "gelu"},
                                  Word<Activation>{Activation::gelu_tanh, "gelu_tanh"}};
constexpr std::array kPoolings{Word<Pooling>{Pooling::class_token, "token"}, Word<Pooling>{Pooling::mean, "avg"}};
constexpr std::array kPositions{Word<PositionEmbedding>{PositionEmbedding::learned, "learned"},
                                Word<PositionEmbedding>{PositionEmbedding::sincos_1d, "sincos_1d"},
                                Word<PositionEmbedding>{PositionEmbedding::sincos_2d, "sincos_2d"}};

template <class Words, class Enum>
std::string word_of(const Words& words, Enum value) {
  for (const auto& w : words)
    if (w.value == value) return std::string(w.word);
  fail(ErrorKind::internal, "[model config] value ", static_cast<int>(value), " has no name");
}

template <class Words>
auto value_of(const Words& words, const JsonFields& fields, const char* name) {
  const std::string text = fields.text(name);
  for (const auto& w : words)
    if (w.word == text) return w.value;
  fields.reject("field '", name, "' is '", text, "', which this version does not know");
}

// Bounds that no published model comes near; they keep every product of sizes far inside 64 bits.
constexpr int64_t kMaxSide = 1 << 14;
constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxDepth = 1024;
constexpr int64_t kMaxClasses = 1 << 22;
constexpr int64_t kMaxTable = int64_t{1} << 30;

}  // namespace

void validate(const ModelConfig& c) {
  std::string faults;
  const auto check = [&](bool good, const auto&... text) {
    if (!good) faults += (faults.empty() ? "" : "; ") + concat(text...);
  };
  const auto range = [&](const char* name, int64_t value, int64_t low, int64_t high) {
    check(value >= low && value <= high, name, " needs ", low, " to ", high, ", has ", value);
  };
  range("image_size", c.image_size, 1, kMaxSide);
  range("patch_size", c.patch_size, 1, kMaxSide);
  check(c.patch_size < 1 || c.image_size % c.patch_size == 0, "image_size ", c.image_size,
        " is not a multiple of patch_size ", c.patch_size);
  range("channels", c.channels, 3, 3);
  range("width", c.width, 1, kMaxWidth);
  range("depth", c.depth, 1, kMaxDepth);
  range("heads", c.heads, 1, kMaxWidth);
  check(c.heads < 1 || c.width % c.heads == 0, "width ", c.width, " is not a multiple of heads ", c.heads);
  range("mlp_width", c.mlp_width, 1, 4 * kMaxWidth);
  range("classes", c.classes, 0, kMaxClasses);
  check(c.eps > 0 && c.eps < 1, "eps needs a value between 0 and 1, has ", c.eps);
  check(c.activation != Activation::none, "activation needs gelu or gelu_tanh");
  check(c.pooling != Pooling::class_token || c.class_token, "pooling by class token needs class_token");
  check(c.position != PositionEmbedding::sincos_1d || c.width % 2 == 0, "sincos_1d needs an even width");
  check(c.position != PositionEmbedding::sincos_2d || c.width % 4 == 0, "sincos_2d needs a width divisible by 4");
  check(!c.layer_scale || std::isfinite(c.layer_scale_init), "layer_scale_init is not finite");
  if (faults.empty() && c.tokens() * c.width > kMaxTable)
    check(false, "tokens x width needs at most ", kMaxTable, ", has ", c.tokens() * c.width);
  if (!faults.empty()) fail(ErrorKind::usage, "[model config] ", faults, " (", c.name, ")");
}

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
          {"activation", word_of(kActivations, c.activation)},
          {"pooling", word_of(kPoolings, c.pooling)},
          {"position", word_of(kPositions, c.position)},
          {"class_token", c.class_token},
          {"qkv_bias", c.qkv_bias},
          {"layer_scale", c.layer_scale},
          {"layer_scale_init", shortest_double(c.layer_scale_init)}};
}

ModelConfig model_config_from_json(const nlohmann::json& json, std::string_view where) {
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
  c.activation = value_of(kActivations, fields, "activation");
  c.pooling = value_of(kPoolings, fields, "pooling");
  c.position = value_of(kPositions, fields, "position");
  c.class_token = fields.flag("class_token");
  c.qkv_bias = fields.flag("qkv_bias");
  c.layer_scale = fields.flag("layer_scale");
  c.layer_scale_init = fields.number("layer_scale_init");
  try {
    validate(c);
  } catch (const Error& e) {
    fail(ErrorKind::data, e.what(), " in ", where);
  }
  return c;
}

}  // namespace vit
