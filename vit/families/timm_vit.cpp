// timm's VisionTransformer and its distilled form: Steiner et al., arXiv:2106.10270; Touvron et al., arXiv:2012.12877
// and 2204.07118; SigLIP, AIMv2 and others in timm's names.
#include <algorithm>
#include <array>

#include "vit/core/error.h"
#include "vit/families/rows.h"
#include "vit/families/timm_config.h"

namespace vit {
namespace {

/// What the name of an architecture says and no tensor shows.
struct Named {
  std::string_view part;  // of the name
  int64_t heads = 0;      // 0 = as the width says
  int64_t head_size = 0;
  std::optional<Activation> activation = {};
};

// tests/golden/check_timm_names.py compares them with timm's models.
constexpr std::array kNamed{
    Named{.part = "quickgelu", .activation = Activation::quick_gelu},
    Named{.part = "vit_base_patch32_siglip", .activation = Activation::gelu_tanh},
    Named{.part = "vit_large_patch16_siglip_512", .activation = Activation::gelu_tanh},
    Named{.part = "vit_large_patch16_siglip_gap_512", .activation = Activation::gelu_tanh},
    Named{.part = "vit_so400m_patch16_siglip", .activation = Activation::gelu_tanh},
    Named{.part = "vit_giantopt_patch16_siglip", .activation = Activation::gelu_tanh},
    Named{.part = "vit_base_patch16_gap_224", .heads = 16},
    Named{.part = "vit_giant_patch16_radio", .head_size = 64},
    Named{.part = "test_vit", .head_size = 32},
};

// Others that have the same names and compute something else.
constexpr std::array<std::string_view, 3> kStrangers{"_rpn_", "vit_dwee", "vit_dlittle"};

/// Widths whose heads are 16, all other heads being 64 wide; AIMv2's are 128.
constexpr std::array<int64_t, 4> kSixteenHeads{1152, 1280, 1408, 1664};

bool is_aim(const ModelConfig& c) { return c.norm == "rmsnorm" && c.mlp == "swiglu"; }

int64_t usual_heads(const ModelConfig& c) {
  if (is_aim(c)) return std::max<int64_t>(c.width / 128, 1);
  if (std::ranges::find(kSixteenHeads, c.width) != kSixteenHeads.end()) return 16;
  if (c.width == 1536 && c.mlp == "mlp") return 16;  // SigLIP 2's giant; DINOv2's has a gated MLP and heads of 64
  return std::max<int64_t>(c.width / 64, 1);
}

/// CLIP, BEiT-3 and AIMv2 have 1e-5, all others 1e-6; told by the architecture, whatever parts its arguments change,
/// and without one by the parts.
float eps_of(const TimmConfig& timm, const ModelConfig& c) {
  const bool large = timm.architecture().empty() ? c.pre_norm || c.attention_norm || c.mlp_norm || is_aim(c)
                                                 : timm.named("clip_") || timm.named("beit3") || timm.named("aimv2");
  return large ? 1e-5f : 1e-6f;
}

std::string usual_pooling(const Checkpoint& checkpoint, const ModelConfig& c) {
  if (checkpoint.has("attn_pool.latent")) return "map";
  return !c.class_token || c.final_norm == FinalNorm::after ? "avg" : "token";
}

void read_traits(const Checkpoint& checkpoint, const TimmConfig& timm, ModelConfig& config,
                 std::vector<std::string>& assumed) {
  config.heads = usual_heads(config);
  config.eps = eps_of(timm, config);
  config.pooling = timm.pooling().empty() ? usual_pooling(checkpoint, config) : timm.pooling();
  if (config.distilled) config.pooling = "token";
  for (const Named& named : kNamed) {
    if (!timm.named(named.part)) continue;
    if (named.heads > 0) config.heads = named.heads;
    if (named.head_size > 0) config.heads = std::max<int64_t>(config.width / named.head_size, 1);
    config.activation = named.activation.value_or(config.activation);
  }
  timm.apply(config);
  if (config.qk_norm) {  // shows it
    const int64_t size = checkpoint.shape("blocks.0.attn.q_norm.weight", 1)[0];
    config.heads = std::max<int64_t>(config.width / size, 1);
  }
  if (timm.architecture().empty()) {
    if (!config.qk_norm) assumed.push_back(concat(config.heads, " heads, as others of width ", config.width));
    assumed.push_back(concat("eps ", config.eps, ", GELU, pooling ", config.pooling, " (no config.json says them)"));
  }
}

/// Words of timm's pooling in ours; the place of the norm is what tensors show.
void set_pooling(const TimmConfig& timm, ModelConfig& config) {
  if (config.pooling != "token" && config.pooling != "avg" && config.pooling != "map")
    fail(ErrorKind::data, "[config.json] global_pool '", config.pooling, "' is not known here: token, avg, map are");
  const bool prefix = config_flag(timm.arguments(), "pool_include_prefix", timm.named("test_vit3"));
  if (prefix && config.pooling == "avg")
    fail(ErrorKind::data, "[config.json] a mean of the tokens in front of the patches, too, is not known here");
  config.pool_prefix = prefix && config.pooling == "map";
  const FinalNorm usual = config.pooling == "avg" ? FinalNorm::after : FinalNorm::before;
  if (config.final_norm == usual) config.final_norm = FinalNorm::by_pooling;
}

std::vector<NameRow> rows_of(const Checkpoint& checkpoint) {
  std::vector<NameRow> rows;
  if (checkpoint.has("blocks.0.mlp.fc1_g.weight")) {
    rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.fc1_g.weight", "blocks.{}.mlp.fc1_x.weight"}});
    if (checkpoint.has("blocks.0.mlp.fc1_g.bias"))
      rows.push_back({"blocks.{}.mlp.fc1.bias", {"blocks.{}.mlp.fc1_g.bias", "blocks.{}.mlp.fc1_x.bias"}});
  }
  if (checkpoint.has("blocks.0.gamma_1")) {  // DeiT-III as its authors name it
    rows.push_back({"blocks.{}.ls1.gamma", {"blocks.{}.gamma_1"}});
    rows.push_back({"blocks.{}.ls2.gamma", {"blocks.{}.gamma_2"}});
  }
  if (!checkpoint.has("head.bias")) rows.push_back({"head.bias", {kZeros}});
  return rows;
}

bool matches(const Checkpoint& checkpoint) {
  return checkpoint.has("patch_embed.proj.weight") && checkpoint.has("blocks.0.attn.qkv.weight") &&
         checkpoint.has("blocks.0.norm1.weight");
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const TimmConfig timm(checkpoint.config);
  for (std::string_view stranger : kStrangers)
    if (timm.named(stranger))
      fail(ErrorKind::data, "[import] ", timm.architecture(), " has blocks that are not known here");
  timm.refuse({"block_fn", "mlp_layer", "attn_layer", "embed_layer", "attn_type"});
  Recognised found;
  ModelConfig& config = found.config;
  config = timm_shapes(checkpoint);
  config.name = timm.architecture().empty() ? "timm_vit" : timm.architecture();
  config.layer_scale = checkpoint.has("blocks.0.ls1.gamma") || checkpoint.has("blocks.0.gamma_1");
  config.qkv_bias = checkpoint.has("blocks.0.attn.qkv.bias");
  read_traits(checkpoint, timm, config, found.assumed);
  set_pooling(timm, config);
  const int64_t side = timm_grid(checkpoint, timm, config, found.assumed);
  config.image_size = side * config.patch_size;
  found.rules = timm_rules(checkpoint, config, rows_of(checkpoint));
  const bool dynamic = config_flag(timm.arguments(), "dynamic_img_size", timm.named("_radio_"));
  set_image_size(timm_options(options, timm, dynamic), side, {}, found);
  drop(checkpoint, "pre_logits.*", "a layer of old files that timm drops, too", found);
  drop(checkpoint, "mask_token", "only training on masked pictures reads it", found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (config.rope != RopeLayout::none)
    fail(ErrorKind::usage, "[timm] VisionTransformer has no rotary positions (family timm-eva has)");
  std::vector<NameRow> rows;
  if (is_aim(config)) {
    rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.fc1_g.weight", "blocks.{}.mlp.fc1_x.weight"}});
    for (std::string_view bias : {"blocks.{}.attn.proj.bias", "blocks.{}.mlp.fc1.bias", "blocks.{}.mlp.fc2.bias"})
      rows.push_back({bias, {kZeros}});
  }
  return rules_by_names("timm", config, rows, true);
}

}  // namespace

Family timm_family() {
  return {.word = "timm",
          .help = "timm's VisionTransformer: ViT, DeiT, DeiT-III, CLIP, SigLIP, DINOv2, AIMv2 in timm's names",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
