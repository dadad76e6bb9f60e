// timm's classes, each by an architecture of it whose norm and MLP no argument in JSON could say, and arguments for all
// else.
#include <string_view>
#include <utility>

#include "infer/export/weights_files.h"
#include "vit/core/json_fields.h"
#include "vit/core/text.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

enum class TimmClass { vit, distilled, eva };

/// An architecture of a class, for models of these norms and MLPs.
struct TimmBase {
  const char* architecture;
  TimmClass type;
  const char* norm;  // null: any that a word names, which all have eps 1e-6
  float eps;
  const char* mlp;  // null: either, by an argument
};
constexpr TimmBase kBases[] = {
    {"vit_base_patch16_224", TimmClass::vit, nullptr, 1e-6f, "mlp"},
    {"vit_giant_patch14_dinov2", TimmClass::vit, nullptr, 1e-6f, "swiglu"},
    {"vit_base_patch16_clip_224", TimmClass::vit, "layernorm", 1e-5f, "mlp"},
    {"aimv2_large_patch14_224", TimmClass::vit, "rmsnorm", 1e-5f, "swiglu"},
    {"deit_base_distilled_patch16_224", TimmClass::distilled, nullptr, 1e-6f, "mlp"},
    {"eva02_tiny_patch14_224", TimmClass::eva, "layernorm", 1e-6f, nullptr},
    {"vit_small_patch16_dinov3", TimmClass::eva, "layernorm", 1e-5f, nullptr},
};

TimmClass class_of(const ModelConfig& c) {
  if (c.rope != RopeLayout::none) return TimmClass::eva;
  return c.distilled ? TimmClass::distilled : TimmClass::vit;
}

const TimmBase& base_of(const ModelConfig& c) {
  for (const TimmBase& base : kBases)
    if (base.type == class_of(c) && (base.norm == nullptr || c.norm == base.norm) && c.eps == base.eps &&
        (base.mlp == nullptr || c.mlp == base.mlp))
      return base;
  fail(ErrorKind::usage, "[export] timm has no class with rope ", word_of(c.rope), ", norm ", c.norm, ", eps ", c.eps,
       " and mlp ", c.mlp, c.distilled ? " that is distilled" : "");
}

// ---- what the classes can be ----

void check_pooling(const ModelConfig& c, Faults& faults) {
  faults.check(c.pooling == "token" || c.pooling == "avg" || c.pooling == "map",
               "pooling: needs token, avg or map, has ", c.pooling);
  faults.check(c.position == "learned" || c.position == "none", "position: needs learned or none, has ", c.position);
  faults.check(c.patch_bias != c.pre_norm, "patch_bias: needs ", c.pre_norm ? "false" : "true", " with pre_norm ",
               c.pre_norm ? "true" : "false");
}

void check_vit(const ModelConfig& c, Faults& faults) {
  faults.check(!c.patch_norm || c.norm == "rmsnorm" || c.eps == 1e-6f,
               "patch_norm: needs false with layernorm and eps ", c.eps);
  if (c.pooling != "map") return;
  faults.check(c.pool_heads == 0 || c.pool_heads == c.heads, "pool_heads: needs the ", c.heads, " heads, has ",
               c.pool_heads);
  faults.check(c.mlp == "mlp", "mlp: needs mlp with pooling map, has ", c.mlp);
  faults.check(c.pool_mlp_width == 0 || c.pool_mlp_width == c.mlp_width, "pool_mlp_width: needs the mlp_width ",
               c.mlp_width, ", has ", c.pool_mlp_width);
}

void check_eva(const ModelConfig& c, Faults& faults) {
  check_plain(c, {"distilled", "patch_norm"}, faults);
  if (c.mlp == "mlp" || c.pooling == "map") check_plain(c, {"activation"}, faults);
  const bool prefix = c.tokens().prefix > 0;
  if (c.pooling == "map" && prefix)
    faults.check(c.pool_prefix, "pool_prefix: needs true with rotary positions, has false");
}

void check(const ModelConfig& c) {
  Faults faults;
  check_published_parts(c, faults);
  check_pooling(c, faults);
  class_of(c) == TimmClass::eva ? check_eva(c, faults) : check_vit(c, faults);
  faults.raise(ErrorKind::usage, "export", concat("timm, model ", c.name));
}

// ---- arguments ----

/// Whether the last norm stands before pooling, and behind it.
std::pair<bool, bool> final_norms(const ModelConfig& c) {
  const FinalNorm usual = c.pooling == "avg" ? FinalNorm::after : FinalNorm::before;
  const FinalNorm place = c.final_norm == FinalNorm::by_pooling ? usual : c.final_norm;
  return {place == FinalNorm::before, place == FinalNorm::after};
}

/// Null turns layer scale off; so would 0, which only says how a fresh one begins.
Json init_values(const ModelConfig& c) {
  if (!c.layer_scale) return nullptr;
  return c.layer_scale_init == 0 ? 1e-5 : shortest_double(c.layer_scale_init);
}

Json common_arguments(const ModelConfig& c) {
  return {{"img_size", c.image_size},
          {"patch_size", c.patch_size},
          {"embed_dim", c.width},
          {"depth", c.depth},
          {"num_heads", c.heads},
          {"qkv_bias", c.qkv_bias},
          {"qk_norm", c.qk_norm},
          {"init_values", init_values(c)},
          {"global_pool", c.pooling},
          {"class_token", c.class_token},
          {"no_embed_class", !c.prefix_position}};
}

Json vit_arguments(const ModelConfig& c, const TimmBase& base) {
  const auto [before, after] = final_norms(c);
  const bool packed = c.mlp == "swiglu" && base.norm == nullptr;  // gates and values are one Linear
  Json arguments = common_arguments(c);
  arguments.update(Json{{"mlp_ratio", mlp_ratio(c.width, packed ? 2 * c.mlp_width : c.mlp_width)},
                        {"scale_attn_norm", c.attention_norm},
                        {"scale_mlp_norm", c.mlp_norm},
                        {"proj_bias", true},
                        {"pos_embed", c.position == "learned" ? "learn" : "none"},
                        {"reg_tokens", c.registers},
                        {"pre_norm", c.pre_norm},
                        {"final_norm", before || after},
                        {"fc_norm", after},
                        {"pool_include_prefix", c.pooling == "map" && c.pool_prefix},
                        {"dynamic_img_size", false}});
  if (base.norm == nullptr) arguments["norm_layer"] = c.norm;
  if (base.norm == nullptr || !c.patch_norm)  // else the architecture has it
    arguments["embed_norm_layer"] = c.patch_norm ? Json(c.norm) : Json();
  if (c.mlp == "mlp")
    arguments["act_layer"] = c.activation == Activation::gelu_erf    ? "gelu"
                             : c.activation == Activation::gelu_tanh ? "gelu_tanh"
                                                                     : "quick_gelu";
  return arguments;
}

void add_rope_arguments(const ModelConfig& c, Json& arguments) {
  arguments["use_rot_pos_emb"] = true;
  arguments["rope_type"] = c.rope == RopeLayout::axial ? "cat" : c.rope == RopeLayout::dinov3 ? "dinov3" : "mixed";
  arguments["rope_rotate_half"] = c.rope == RopeLayout::dinov3;
  arguments["rope_temperature"] = shortest_double(c.rope_theta);
  arguments["rope_grid_indexing"] = word_of(c.rope_order);
  arguments["rope_grid_offset"] = shortest_double(c.rope_offset);
  const double reference = shortest_double(c.rope_reference);
  arguments["ref_feat_shape"] = c.rope_reference > 0 ? Json{reference, reference} : Json();
}

Json eva_arguments(const ModelConfig& c) {
  const auto [before, after] = final_norms(c);
  Json arguments = common_arguments(c);
  arguments.update(Json{{"mlp_ratio", mlp_ratio(c.width, c.mlp_width)},
                        {"swiglu_mlp", c.mlp == "swiglu"},
                        {"swiglu_align_to", 0},
                        {"scale_mlp", c.mlp_norm},
                        {"scale_attn_inner", c.attention_norm},
                        {"attn_type", "rope"},
                        {"num_reg_tokens", c.registers},
                        {"use_abs_pos_emb", c.position == "learned"},
                        {"use_pre_transformer_norm", c.pre_norm},
                        {"use_post_transformer_norm", before},
                        {"use_fc_norm", after},
                        {"dynamic_img_size", false}});
  if (c.pooling == "map") {
    arguments["attn_pool_num_heads"] = c.pool_heads > 0 ? c.pool_heads : c.heads;
    arguments["attn_pool_mlp_ratio"] = mlp_ratio(c.width, c.pool_mlp_width > 0 ? c.pool_mlp_width : c.mlp_width);
  }
  add_rope_arguments(c, arguments);
  return arguments;
}

/// Gates and values are two Linears where a norm stands behind them, or in AIMv2's feed-forward.
std::vector<Rule> rules_of(const ModelConfig& c, const TimmBase& base) {
  std::vector<NameRow> rows;
  const bool eva = base.type == TimmClass::eva;
  if (eva) {
    rows.push_back({"blocks.{}.ls1.gamma", {"blocks.{}.gamma_1"}});
    rows.push_back({"blocks.{}.ls2.gamma", {"blocks.{}.gamma_2"}});
  }
  if (c.mlp == "swiglu" && (eva ? c.mlp_norm : base.norm != nullptr)) {
    rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.fc1_g.weight", "blocks.{}.mlp.fc1_x.weight"}});
    rows.push_back({"blocks.{}.mlp.fc1.bias", {"blocks.{}.mlp.fc1_g.bias", "blocks.{}.mlp.fc1_x.bias"}});
  }
  return rules_by_names("timm", c, rows, true);
}

}  // namespace

nlohmann::ordered_json timm_pretrained_cfg(const Model& model) {
  const ModelConfig& c = model.config;
  Json json{
      {"tag", nullptr},           {"custom_load", false},     {"input_size", {c.channels, c.image_size, c.image_size}},
      {"fixed_input_size", true}, {"num_classes", c.classes}, {"pool_size", nullptr}};
  if (const std::string licence = origin_text(model, "licence"); !licence.empty()) json["license"] = printable(licence);
  if (const std::string source = origin_text(model, "source"); !source.empty()) json["origin_url"] = printable(source);
  return json;
}

WeightsFiles timm_files(const Model& model) {
  const ModelConfig& c = model.config;
  check(c);
  const TimmBase& base = base_of(c);
  WeightsFiles files;
  files.rules = rules_of(c, base);
  files.config = {{"architecture", base.architecture},
                  {"num_classes", c.classes},
                  {"num_features", c.feature_width()},
                  {"global_pool", c.pooling}};
  if (!model.class_names.empty()) files.config["label_names"] = printable(model.class_names);
  files.config["model_args"] = base.type == TimmClass::eva ? eva_arguments(c) : vit_arguments(c, base);
  files.config["pretrained_cfg"] = timm_pretrained_cfg(model);
  files.config["pretrained_cfg"].update(
      Json{{"first_conv", "patch_embed.proj"}, {"classifier", c.distilled ? Json{"head", "head_dist"} : Json("head")}});
  files.notes.push_back(concat("architecture ", base.architecture, " with arguments that make it this model"));
  return files;
}

}  // namespace vit
