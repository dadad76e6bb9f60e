// transformers' classes: ViT, DeiT with both heads, DINOv2 with and without registers; as feature extractors DINOv3 and
// the image towers of CLIP and SigLIP.
#include <string_view>

#include "infer/export/weights_files.h"
#include "vit/core/json_fields.h"
#include "vit/core/text.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

struct HfClass {
  const char* model_type;
  const char* family;
  const char* with_head;
  const char* without_head;
  bool (*serves)(const ModelConfig& c);          // by what no other class has
  void (*check)(const ModelConfig& c, Faults&);  // what the names of its weights do not show
  void (*describe)(const ModelConfig& c, Json& config);
};

void need_norm_before(const ModelConfig& c, Faults& faults) {
  faults.check(c.final_norm == FinalNorm::by_pooling || c.final_norm == FinalNorm::before,
               "final_norm: needs before_pooling, has ", word_of(c.final_norm));
}

// What the names of their weights do not show is as a plain ViT has it, but for what each class has of its own.

constexpr std::string_view kBeforeBlocks[]{"patch_bias", "patch_norm", "pre_norm"};
constexpr std::string_view kInBlocks[]{"norm", "qk_norm", "attention_norm", "mlp_norm"};

void check_vit(const ModelConfig& c, Faults& faults) {
  check_plain(c, kBeforeBlocks, faults);
  check_plain(c, {"position", "rope", "class_token", "pooling", "layer_scale", "mlp", "registers", "prefix_position"},
              faults);
}

void check_dinov2(const ModelConfig& c, Faults& faults) {
  check_plain(c, kBeforeBlocks, faults);
  check_plain(c, {"position", "rope", "class_token"}, faults);
  faults.check(c.layer_scale, "layer_scale: needs true, has false");
  faults.check(c.pooling == (c.classes > 0 ? "token_avg" : "token"), "pooling: needs ",
               c.classes > 0 ? "token_avg" : "token without a head", ", has ", c.pooling);
  if (c.pooling == "token_avg") check_plain(c, {"readout_layers"}, faults);
  faults.check(c.prefix_position == (c.registers == 0), "prefix_position: needs ", c.registers == 0 ? "true" : "false",
               " with ", c.registers, " registers");
  if (c.mlp == "mlp")
    faults.check(c.mlp_width % c.width == 0, "mlp_width: needs a multiple of the width ", c.width, ", has ",
                 c.mlp_width);
}

void check_dinov3(const ModelConfig& c, Faults& faults) {
  check_plain(c, kBeforeBlocks, faults);
  check_plain(c, {"class_token", "pooling", "distilled"}, faults);
  faults.check(c.position == "none", "position: needs none, has ", c.position);
  faults.check(c.layer_scale, "layer_scale: needs true, has false");
  faults.check(c.classes == 0, "classes: needs no head, has ", c.classes, " (the class has none)");
}

void check_clip(const ModelConfig& c, Faults& faults) {
  check_plain(c,
              {"position", "rope", "class_token", "pooling", "layer_scale", "mlp", "registers", "prefix_position",
               "qkv_bias", "patch_norm", "distilled"},
              faults);
  faults.check(!c.patch_bias, "patch_bias: needs false, has true");
}

void check_siglip(const ModelConfig& c, Faults& faults) {
  check_plain(c, kBeforeBlocks, faults);
  check_plain(c, {"position", "rope", "layer_scale", "mlp", "registers", "qkv_bias", "distilled"}, faults);
  faults.check(!c.class_token, "class_token: needs false, has true");
  faults.check(c.classes == 0, "classes: needs no head, has ", c.classes,
               " (the class with attention pooling has none)");
  faults.check(c.pool_mlp_width == 0 || c.pool_mlp_width == c.mlp_width, "pool_mlp_width: needs the mlp_width ",
               c.mlp_width, ", has ", c.pool_mlp_width);
  faults.check(c.pool_heads == 0 || c.pool_heads == c.heads, "pool_heads: needs the ", c.heads, " heads, has ",
               c.pool_heads);
}

std::string_view activation_word(Activation activation) {
  return activation == Activation::gelu_erf    ? "gelu"
         : activation == Activation::gelu_tanh ? "gelu_pytorch_tanh"
                                               : "quick_gelu";
}

void describe_vit(const ModelConfig& c, Json& config) {
  config["intermediate_size"] = c.mlp_width;
  config["encoder_stride"] = c.patch_size;
}

/// F of a gated MLP follows from mlp_ratio: (2/3 of it, rounded up to a multiple of 8).
int64_t gated_width(int64_t width, int64_t ratio) { return (width * ratio * 2 / 3 + 7) / 8 * 8; }

void describe_dinov2(const ModelConfig& c, Json& config) {
  const bool gated = c.mlp == "swiglu";
  int64_t ratio = c.mlp_width / c.width;
  if (gated)
    for (ratio = 1; gated_width(c.width, ratio) < c.mlp_width;) ++ratio;
  if (gated && gated_width(c.width, ratio) != c.mlp_width)
    fail(ErrorKind::usage, "[export] hf: mlp_width ", c.mlp_width, " of a gated MLP follows from no whole mlp_ratio");
  config["mlp_ratio"] = ratio;
  config["use_swiglu_ffn"] = gated;
  config["layerscale_value"] = shortest_double(c.layer_scale_init);
  config["drop_path_rate"] = 0.0;
  config["use_mask_token"] = false;
  if (c.registers > 0) config["num_register_tokens"] = c.registers;
}

void describe_dinov3(const ModelConfig& c, Json& config) {
  config["intermediate_size"] = c.mlp_width;
  config["use_gated_mlp"] = c.mlp == "swiglu";
  if (c.mlp == "swiglu") config["hidden_act"] = "silu";
  config["num_register_tokens"] = c.registers;
  config["rope_theta"] = shortest_double(c.rope_theta);
  config["layerscale_value"] = shortest_double(c.layer_scale_init);
  config["query_bias"] = config["value_bias"] = c.qkv_bias;
  config["key_bias"] = false;
  config["proj_bias"] = config["mlp_bias"] = true;
}

void describe_clip(const ModelConfig& c, Json& config) {
  config["intermediate_size"] = c.mlp_width;
  if (c.classes > 0) config["projection_dim"] = c.classes;
}

void describe_siglip(const ModelConfig& c, Json& config) {
  config["intermediate_size"] = c.mlp_width;
  config["vision_use_head"] = true;
}

// Special ones before general ones: the first that serves is it.
constexpr HfClass kClasses[] = {
    {"dinov3_vit", "hf_dinov3", "", "DINOv3ViTModel", [](const ModelConfig& c) { return c.rope == RopeLayout::dinov3; },
     check_dinov3, describe_dinov3},
    {"clip_vision_model", "hf_clip", "CLIPVisionModelWithProjection", "CLIPVisionModel",
     [](const ModelConfig& c) { return c.pre_norm; }, check_clip, describe_clip},
    {"siglip_vision_model", "hf_siglip", "", "SiglipVisionModel",
     [](const ModelConfig& c) { return c.pooling == "map"; }, check_siglip, describe_siglip},
    {"deit", "hf_deit", "DeiTForImageClassificationWithTeacher", "DeiTModel",
     [](const ModelConfig& c) { return c.distilled; }, check_vit, describe_vit},
    {"dinov2_with_registers", "hf_dinov2", "Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersModel",
     [](const ModelConfig& c) { return c.layer_scale && c.registers > 0; }, check_dinov2, describe_dinov2},
    {"dinov2", "hf_dinov2", "Dinov2ForImageClassification", "Dinov2Model",
     [](const ModelConfig& c) { return c.layer_scale; }, check_dinov2, describe_dinov2},
    {"vit", "hf_vit", "ViTForImageClassification", "ViTModel", [](const ModelConfig&) { return true; }, check_vit,
     describe_vit},
};

const HfClass& class_of(const ModelConfig& c) {
  for (const HfClass& type : kClasses)
    if (type.serves(c)) return type;
  fail(ErrorKind::internal, "[export] no class of transformers serves");
}

Json config_of(const Model& model, const HfClass& type) {
  const ModelConfig& c = model.config;
  Json config{{"architectures", {c.classes > 0 ? type.with_head : type.without_head}},
              {"model_type", type.model_type},
              {"torch_dtype", "float32"},
              {"image_size", c.image_size},
              {"patch_size", c.patch_size},
              {"num_channels", c.channels},
              {"hidden_size", c.width},
              {"num_hidden_layers", c.depth},
              {"num_attention_heads", c.heads},
              {"hidden_act", activation_word(c.activation)},
              {"layer_norm_eps", shortest_double(c.eps)},
              {"qkv_bias", c.qkv_bias},
              {"hidden_dropout_prob", 0.0},
              {"attention_probs_dropout_prob", 0.0},
              {"initializer_range", 0.02}};
  type.describe(c, config);
  if (const std::string licence = origin_text(model, "licence"); !licence.empty())
    config["license"] = printable(licence);
  if (const std::string source = origin_text(model, "source"); !source.empty()) config["source"] = printable(source);
  return config;
}

/// Names by index and the other way round; without names as many as there are classes.
void add_labels(const Model& model, Json& config) {
  Json names = Json::object(), indices = Json::object();
  for (int64_t i = 0; i < model.config.classes; ++i) {
    const std::string name =
        model.class_names.empty() ? concat("LABEL_", i) : printable(model.class_names[static_cast<std::size_t>(i)]);
    names[std::to_string(i)] = name;
    indices[name] = i;
  }
  config["id2label"] = std::move(names);
  config["label2id"] = std::move(indices);
}

}  // namespace

WeightsFiles hf_files(const Model& model) {
  const HfClass& type = class_of(model.config);
  Faults faults;
  check_published_parts(model.config, faults);
  check_plain(model.config, kInBlocks, faults);
  need_norm_before(model.config, faults);
  type.check(model.config, faults);
  faults.raise(ErrorKind::usage, "export", concat("hf ", type.model_type, ", model ", model.config.name));
  WeightsFiles files;
  files.rules = family_of(type.family).rules(model.config);
  files.config = config_of(model, type);
  if (model.config.classes > 0 && files.config.value("projection_dim", 0) == 0) add_labels(model, files.config);
  files.notes.push_back(concat("class ", model.config.classes > 0 ? type.with_head : type.without_head));
  return files;
}

}  // namespace vit
