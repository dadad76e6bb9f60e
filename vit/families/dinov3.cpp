// DINOv3 as its authors name it: Simeoni et al., arXiv:2508.10104.
#include <algorithm>

#include "vit/core/error.h"
#include "vit/families/linear_head.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr int64_t kUsualSide = 256;  // of the pictures that its authors evaluate with

std::vector<NameRow> rows(const ModelConfig& config) {
  std::vector<NameRow> rows{{"reg_token", {"storage_tokens"}}};
  add_linear_head(rows);
  if (config.mlp != "swiglu") return rows;
  rows.push_back({"blocks.{}.mlp.fc1.weight", {"blocks.{}.mlp.w1.weight", "blocks.{}.mlp.w2.weight"}});
  rows.push_back({"blocks.{}.mlp.fc1.bias", {"blocks.{}.mlp.w1.bias", "blocks.{}.mlp.w2.bias"}});
  rows.push_back({"blocks.{}.mlp.fc2.weight", {"blocks.{}.mlp.w3.weight"}});
  rows.push_back({"blocks.{}.mlp.fc2.bias", {"blocks.{}.mlp.w3.bias"}});
  return rows;
}

/// A mask holds the biases of keys at zero.
void mask_key_biases(const ModelConfig& config, std::vector<Rule>& rules) {
  const int64_t d = config.width;
  for (int64_t i = 0; i < config.depth; ++i) {
    Rule* rule = find_rule(rules, concat("blocks.", i, ".attn.qkv.bias"));
    if (rule == nullptr) return;
    const std::string name = rule->pieces.front().name;
    rule->pieces = {{.name = name, .shape = {3 * d}, .first = 0, .rows = d},
                    {.name = "", .shape = {d}, .idle = true},
                    {.name = name, .shape = {3 * d}, .first = 2 * d, .rows = d}};
  }
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (config.rope != RopeLayout::dinov3 || config.position != "none")
    fail(ErrorKind::usage, "[dinov3] ", config.name, " has other positions than DINOv3");
  std::vector<Rule> all = rules_by_names("dinov3", config, rows(config), true);
  mask_key_biases(config, all);
  return all;
}

bool matches(const Checkpoint& c) {
  return c.has("patch_embed.proj.weight") && c.has("blocks.0.attn.qkv.weight") &&
         (c.has("storage_tokens") || c.has("rope_embed.periods"));
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  Recognised found;
  ModelConfig& config = found.config;
  const std::vector<int64_t>& patch = checkpoint.shape("patch_embed.proj.weight", 4);
  config.name = "dinov3";
  config.width = patch[0];
  config.patch_size = patch[2];
  config.depth = checkpoint.count("blocks.{}.norm1.weight");
  config.registers = checkpoint.has("storage_tokens") ? checkpoint.shape("storage_tokens", 3)[1] : 0;
  config.position = "none";
  config.rope = RopeLayout::dinov3;
  config.rope_theta = 100;
  config.eps = 1e-5f;
  config.layer_scale = checkpoint.has("blocks.0.ls1.gamma");
  config.qkv_bias = checkpoint.has("blocks.0.attn.qkv.bias");
  if (checkpoint.has("blocks.0.mlp.w3.weight")) config.mlp = "swiglu";
  config.mlp_width =
      checkpoint.shape(config.mlp == "swiglu" ? "blocks.0.mlp.w3.weight" : "blocks.0.mlp.fc2.weight", 2)[1];
  const int64_t head_size = checkpoint.has("rope_embed.periods") ? 4 * checkpoint.shape("rope_embed.periods", 1)[0]
                            : config.width == 4096               ? 128
                                                                 : 64;
  config.heads = std::max<int64_t>(config.width / head_size, 1);
  read_linear_head(checkpoint, config);
  const int64_t side = std::max<int64_t>(kUsualSide / config.patch_size, 1);
  config.image_size = side * config.patch_size;
  found.assumed.push_back("eps 1e-5 and rotary base 100, as all of the family have");
  if (options.image_size == 0)
    found.assumed.push_back(concat("pictures of ", config.image_size, " pixels (no tensor shows it; --image-size)"));
  found.rules = rules(config);
  set_image_size(options, side, {}, found);
  drop(checkpoint, "mask_token", "only training on masked pictures reads it", found);
  drop(checkpoint, "rope_embed.periods", "angles follow from the places", found);
  drop(checkpoint, "*.attn.qkv.bias_mask", "it holds the biases of keys at zero, as is done here", found);
  drop(checkpoint, "local_cls_norm.*", "only training reads it", found);
  return found;
}

}  // namespace

Family dinov3_family() {
  return {.word = "dinov3", .help = "DINOv3 as its authors name it", .matches = matches, .read = read, .rules = rules};
}

}  // namespace vit
