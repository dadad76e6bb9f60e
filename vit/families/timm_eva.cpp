// timm's Eva: EVA and EVA-02 (Fang et al., arXiv:2303.11331), DINOv3 (Simeoni et al., arXiv:2508.10104), RoPE-ViT (Heo
// et al., arXiv:2403.13298), the Perception Encoder (Bolya et al., arXiv:2504.13181), timm's rotary register models.
#include <algorithm>
#include <array>
#include <charconv>

#include "vit/core/error.h"
#include "vit/families/rows.h"
#include "vit/families/timm_config.h"

namespace vit {
namespace {

/// Widths whose heads are 16, but for gated MLPs, whose are 64 wide, as all others; DINOv3-7B's are 128.
constexpr std::array<int64_t, 3> kSixteenHeads{1280, 1408, 1536};

constexpr std::array<std::string_view, 7> kNames{"eva02_",  "eva_giant", "vit_pe_",  "_rope_",
                                                 "_dinov3", "_lingbot",  "_sapiens2"};
constexpr std::array<std::string_view, 2> kStrangers{"eva02_enormous", "_sapiens2"};

bool is_perception_encoder(const Checkpoint& checkpoint) { return checkpoint.has("norm_pre.weight"); }

int64_t usual_heads(const ModelConfig& c) {
  if (c.width == 4096) return 32;
  if (c.mlp != "swiglu" && std::ranges::find(kSixteenHeads, c.width) != kSixteenHeads.end()) return 16;
  return std::max<int64_t>(c.width / 64, 1);
}

/// By the architecture, whatever parts its arguments change; without one by the parts.
float eps_of(const TimmConfig& timm, const ModelConfig& c) {
  const bool small = timm.architecture().empty()
                         ? !c.pre_norm && c.rope != RopeLayout::dinov3
                         : !timm.named("_dinov3") && !timm.named("_lingbot") && !timm.named("vit_pe_");
  return small ? 1e-6f : 1e-5f;
}

/// The number behind the last `word` of a name; 0 where there is none.
int64_t number_behind(const std::string& name, std::string_view word) {
  const std::size_t at = name.rfind(word);
  int64_t number = 0;
  if (at != std::string::npos) std::from_chars(name.data() + at + word.size(), name.data() + name.size(), number);
  return number;
}

/// Patches a side of an architecture's own pictures: vit_pe_core_base_patch16_224 has 14.
int64_t named_grid(const std::string& architecture, int64_t fallback) {
  const int64_t patch = number_behind(architecture, "patch"), pixels = number_behind(architecture, "_");
  return patch > 0 && pixels >= patch ? pixels / patch : fallback;
}

/// The rotary positions of each kind of model, by what else it has.
void read_rope(const Checkpoint& checkpoint, const TimmConfig& timm, int64_t side, ModelConfig& c) {
  const bool positions = checkpoint.has("pos_embed");
  const bool plain_bias = checkpoint.has("blocks.0.attn.qkv.bias");
  c.rope = RopeLayout::axial;
  if (checkpoint.has("rope.freqs")) {
    c.rope = RopeLayout::mixed;
  } else if (is_perception_encoder(checkpoint)) {
    c.rope_order = RopeOrder::column_first;
    c.rope_offset = c.class_token ? 1.0f : 0.0f;
    c.rope_reference = static_cast<float>(named_grid(timm.architecture(), side));
  } else if (plain_bias) {  // RoPE-ViT
    c.rope_order = RopeOrder::column_first;
    c.rope_theta = 100;
  } else if (positions && c.mlp == "mlp") {  // the first EVA
    c.rope = RopeLayout::none;
  } else if (positions || c.final_norm == FinalNorm::after) {  // EVA-02 and timm's register models
    c.rope_reference = 16;
  } else {
    c.rope = RopeLayout::dinov3;
    c.rope_theta = 100;
  }
}

void apply_rope_arguments(const TimmConfig& timm, ModelConfig& c) {
  const nlohmann::json& arguments = timm.arguments();
  if (!config_flag(arguments, "use_rot_pos_emb", c.rope != RopeLayout::none)) c.rope = RopeLayout::none;
  const std::string type = config_text(arguments, "rope_type", "");
  if (!type.empty() && c.rope != RopeLayout::none) {
    if (type != "cat" && type != "dinov3" && type != "mixed")
      fail(ErrorKind::data, "[config.json] model_args.rope_type '", type, "' is not known here");
    c.rope = type == "cat" ? RopeLayout::axial : type == "dinov3" ? RopeLayout::dinov3 : RopeLayout::mixed;
  }
  c.rope_theta = static_cast<float>(config_number(arguments, "rope_temperature", static_cast<double>(c.rope_theta)));
  c.rope_offset = static_cast<float>(config_number(arguments, "rope_grid_offset", static_cast<double>(c.rope_offset)));
  const std::string order = config_text(arguments, "rope_grid_indexing", "");
  if (!order.empty()) c.rope_order = order == "xy" ? RopeOrder::column_first : RopeOrder::row_first;
  if (arguments.is_object() && arguments.contains("ref_feat_shape")) {
    const nlohmann::json& shape = arguments["ref_feat_shape"];
    const nlohmann::json& side = shape.is_array() && !shape.empty() ? shape.front() : shape;
    c.rope_reference = static_cast<float>(config_number({{"ref_feat_shape", side}}, "ref_feat_shape", 0));
  }
  if (c.rope == RopeLayout::dinov3 && c.rope_offset != 0)
    fail(ErrorKind::data, "[config.json] model_args.rope_grid_offset of dinov3 is not known here");
  if (c.rope == RopeLayout::axial && config_flag(arguments, "rope_rotate_half", false))
    fail(ErrorKind::data, "[config.json] model_args.rope_rotate_half of axial positions is not known here");
  if (c.rope != RopeLayout::axial) c.rope_order = ModelConfig().rope_order, c.rope_reference = 0, c.rope_offset = 0;
  if (c.rope == RopeLayout::none || c.rope == RopeLayout::mixed) c.rope_theta = ModelConfig().rope_theta;
}

void read_pooling(const Checkpoint& checkpoint, const TimmConfig& timm, ModelConfig& c) {
  const std::string usual = checkpoint.has("attn_pool.latent") ? "map"
                            : !c.class_token || c.final_norm != FinalNorm::before || c.rope == RopeLayout::dinov3
                                ? "avg"
                                : "token";
  c.pooling = timm.pooling().empty() ? usual : timm.pooling();
  if (c.pooling != "token" && c.pooling != "avg" && c.pooling != "map")
    fail(ErrorKind::data, "[config.json] global_pool '", c.pooling, "' is not known here: token, avg, map are");
  if (c.pooling == "map") {  // of all tokens
    c.pool_prefix = c.class_token || c.registers > 0;
    const int64_t heads =
        config_integer(timm.arguments(), "attn_pool_num_heads", is_perception_encoder(checkpoint) ? 8 : 0);
    c.pool_heads = heads == c.heads ? 0 : heads;
    const int64_t hidden = checkpoint.shape("attn_pool.mlp.fc1.weight", 2)[0];
    c.pool_mlp_width = hidden == c.mlp_width ? 0 : hidden;
  }
  if (c.final_norm == (c.pooling == "avg" ? FinalNorm::after : FinalNorm::before)) c.final_norm = FinalNorm::by_pooling;
}

const std::vector<std::string_view> kSplitWeights{"blocks.{}.attn.q_proj.weight", "blocks.{}.attn.k_proj.weight",
                                                  "blocks.{}.attn.v_proj.weight"};
const std::vector<std::string_view> kSplitBiases{"blocks.{}.attn.q_proj.bias", kIdle, "blocks.{}.attn.v_proj.bias"};

std::vector<NameRow> rows_of(const Checkpoint& checkpoint) {
  const std::string_view weight = "blocks.{}.attn.qkv.weight", bias = "blocks.{}.attn.qkv.bias";
  std::vector<NameRow> rows;
  if (checkpoint.has("blocks.0.attn.q_proj.weight")) {
    rows.push_back({weight, kSplitWeights});
    rows.push_back({bias, kSplitBiases});
    if (checkpoint.has("blocks.0.attn.k_proj.bias")) rows.back().theirs[1] = "blocks.{}.attn.k_proj.bias";
  } else if (!checkpoint.has("blocks.0.attn.qkv.bias")) {
    rows.push_back({bias, {"blocks.{}.attn.q_bias", kIdle, "blocks.{}.attn.v_bias"}});
  }
  rows.push_back({"blocks.{}.ls1.gamma", {"blocks.{}.gamma_1"}});
  rows.push_back({"blocks.{}.ls2.gamma", {"blocks.{}.gamma_2"}});
  if (checkpoint.has("blocks.0.mlp.fc1_g.weight")) {
    rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.fc1_g.weight", "blocks.{}.mlp.fc1_x.weight"}});
    rows.push_back({"blocks.{}.mlp.fc1.bias", {"blocks.{}.mlp.fc1_g.bias", "blocks.{}.mlp.fc1_x.bias"}});
  }
  return rows;
}

bool matches(const Checkpoint& c) {
  if (!c.has("patch_embed.proj.weight") || !c.has("blocks.0.norm1.weight")) return false;
  if (c.has("storage_tokens") || c.has("rope_embed.periods")) return false;  // DINOv3 as its authors name it
  const TimmConfig timm(c.config);
  if (std::ranges::any_of(kNames, [&](std::string_view name) { return timm.named(name); })) return true;
  const bool gamma = c.has("blocks.0.gamma_1"), normed = c.has("norm.weight") || c.has("fc_norm.weight");
  return c.has("blocks.0.attn.q_bias") || c.has("blocks.0.attn.q_proj.weight") || c.has("rope.freqs") ||
         (gamma && !c.has("pos_embed")) ||
         (is_perception_encoder(c) && (gamma || !normed || c.has("attn_pool.latent")));
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const TimmConfig timm(checkpoint.config);
  for (std::string_view stranger : kStrangers)
    if (timm.named(stranger))
      fail(ErrorKind::data, "[import] ", timm.architecture(), " has blocks that are not known here");
  timm.refuse({"use_post_norm", "attn_only_layer_scale", "num_kv_heads"});
  Recognised found;
  ModelConfig& config = found.config;
  config = timm_shapes(checkpoint);
  config.name = timm.architecture().empty() ? "timm_eva" : timm.architecture();
  config.layer_scale = checkpoint.has("blocks.0.gamma_1");
  config.qkv_bias = checkpoint.has("blocks.0.attn.q_bias") || checkpoint.has("blocks.0.attn.qkv.bias") ||
                    checkpoint.has("blocks.0.attn.q_proj.bias");
  config.heads = usual_heads(config);
  const int64_t side = timm_grid(checkpoint, timm, config, found.assumed);
  config.image_size = side * config.patch_size;
  read_rope(checkpoint, timm, side, config);
  config.eps = eps_of(timm, config);
  timm.apply(config);
  if (config.rope == RopeLayout::mixed)  // shows it
    config.heads = checkpoint.shape("rope.freqs", 4)[2];
  read_pooling(checkpoint, timm, config);
  apply_rope_arguments(timm, config);
  if (timm.architecture().empty())
    found.assumed.push_back(concat(config.heads, " heads, eps ", config.eps, ", GELU, pooling ", config.pooling,
                                   ", rotary positions as others of these names (no config.json says them)"));
  found.rules = timm_rules(checkpoint, config, rows_of(checkpoint));
  set_image_size(timm_options(options, timm, config_flag(timm.arguments(), "dynamic_img_size", false)), side, {},
                 found);
  for (const char* buffer : {"rope.bands", "rope.periods", "rope.pos_embed*", "*.rope.*"})
    drop(checkpoint, buffer, "angles follow from the places", found);
  drop(checkpoint, "mask_token", "only training on masked pictures reads it", found);
  drop(checkpoint, "lm_head.*", "only training on masked pictures reads it", found);
  return found;
}

/// As the published architectures of such parts name them.
std::vector<Rule> rules(const ModelConfig& config) {
  if (config.distilled) fail(ErrorKind::usage, "[timm-eva] Eva has no distillation token (family timm has)");
  std::vector<NameRow> rows{{"blocks.{}.ls1.gamma", {"blocks.{}.gamma_1"}},
                            {"blocks.{}.ls2.gamma", {"blocks.{}.gamma_2"}}};
  const bool gated = config.mlp == "swiglu", large_eva02 = gated && config.mlp_norm;
  const bool plain_bias = config.pre_norm || config.rope == RopeLayout::mixed ||
                          (config.rope == RopeLayout::axial && config.rope_reference == 0);  // attn_type 'rope'
  if (large_eva02) {
    rows.push_back({"blocks.{}.attn.qkv.weight", kSplitWeights});
    rows.push_back({"blocks.{}.attn.qkv.bias", kSplitBiases});
  } else if (!plain_bias) {
    rows.push_back({"blocks.{}.attn.qkv.bias", {"blocks.{}.attn.q_bias", kIdle, "blocks.{}.attn.v_bias"}});
  }
  if (large_eva02 || (gated && config.rope == RopeLayout::dinov3)) {
    rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.fc1_g.weight", "blocks.{}.mlp.fc1_x.weight"}});
    rows.push_back({"blocks.{}.mlp.fc1.bias", {"blocks.{}.mlp.fc1_g.bias", "blocks.{}.mlp.fc1_x.bias"}});
  }
  return rules_by_names("timm-eva", config, rows, true);
}

}  // namespace

Family timm_eva_family() {
  return {.word = "timm-eva",
          .help = "timm's Eva: EVA, EVA-02, DINOv3, RoPE-ViT, Perception Encoder in timm's names",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
