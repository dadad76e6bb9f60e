// DINOv2 as its authors name it, with and without registers, and the linear heads published beside it: Oquab et al.,
// arXiv:2304.07193; Darcet et al., arXiv:2309.16588.
#include <algorithm>

#include "vit/core/error.h"
#include "vit/families/linear_head.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr GridFilter kPlain{.antialias = false, .scale_offset = 0.1};
constexpr GridFilter kWithRegisters{};

std::vector<NameRow> rows(const ModelConfig& config) {
  std::vector<NameRow> rows{{"reg_token", {"register_tokens"}}};
  add_linear_head(rows);
  if (config.mlp != "swiglu") return rows;
  for (const char* kind : {"weight", "bias"}) {
    const bool weight = std::string_view(kind) == "weight";
    rows.push_back({weight ? "blocks.{}.mlp.fc1.weight" : "blocks.{}.mlp.fc1.bias",
                    {weight ? "blocks.{}.mlp.w12.weight" : "blocks.{}.mlp.w12.bias"}});
    rows.push_back({weight ? "blocks.{}.mlp.fc2.weight" : "blocks.{}.mlp.fc2.bias",
                    {weight ? "blocks.{}.mlp.w3.weight" : "blocks.{}.mlp.w3.bias"}});
  }
  return rows;
}

/// With registers the class token alone has a row of the position table, which is added to the token.
void give_class_position(const ModelConfig& config, int64_t patches, std::vector<Rule>& rules) {
  const std::vector<int64_t> shape{1, patches + 1, config.width};
  find_rule(rules, "pos_embed")->pieces = {
      {.name = "pos_embed", .shape = shape, .first = 1, .rows = patches, .along = 1}};
  find_rule(rules, "cls_token")
      ->pieces.push_back({.name = "pos_embed", .shape = shape, .first = 0, .rows = 1, .along = 1, .add = true});
}

std::vector<Rule> rules(const ModelConfig& config) {
  const bool fits = config.class_token && config.position == "learned" && config.rope == RopeLayout::none &&
                    config.prefix_position == (config.registers == 0);
  if (!fits)
    fail(ErrorKind::usage, "[dinov2] ", config.name,
         " has other positions than DINOv2: learned, with registers none in front of the grid");
  std::vector<Rule> all = rules_by_names("dinov2", config, rows(config), true);
  const int64_t patches = config.tokens().patches();
  if (config.registers > 0) give_class_position(config, patches, all);
  return all;
}

/// Files of sharded training have blocks.CHUNK.BLOCK.
void find_chunks(const Checkpoint& checkpoint, std::vector<Rule>& rules) {
  if (checkpoint.has("blocks.0.norm1.weight")) return;
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces) {
      if (!piece.name.starts_with("blocks.")) continue;
      const std::string rest = piece.name.substr(7);
      for (int64_t chunk = 0; chunk < 64 && !checkpoint.has(piece.name); ++chunk)
        if (const std::string name = concat("blocks.", chunk, ".", rest); checkpoint.has(name)) piece.name = name;
    }
}

int64_t depth_of(const Checkpoint& checkpoint) {
  if (checkpoint.has("blocks.0.norm1.weight")) return checkpoint.count("blocks.{}.norm1.weight");
  return std::ranges::count_if(checkpoint.tensors.entries(), [](const TensorEntry& entry) {
    return entry.name.starts_with("blocks.") && entry.name.ends_with(".norm1.weight");
  });
}

std::string first_block(const Checkpoint& checkpoint, std::string_view name) {
  const std::string plain = concat("blocks.0.", name);
  return checkpoint.has(plain) ? plain : concat("blocks.0.0.", name);
}

bool matches(const Checkpoint& c) {
  if (!c.has("patch_embed.proj.weight") || !c.has("cls_token") || !c.has("pos_embed")) return false;
  if (!c.has(first_block(c, "ls1.gamma")) || c.has("storage_tokens") || c.has("reg_token")) return false;
  const TensorEntry* mask = find_tensor(c.tensors, "mask_token");
  return (mask != nullptr && mask->shape.size() == 2) || c.has("register_tokens") || c.has("linear_head.weight");
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  Recognised found;
  ModelConfig& config = found.config;
  const std::vector<int64_t>& patch = checkpoint.shape("patch_embed.proj.weight", 4);
  config.name = "dinov2";
  config.width = patch[0];
  config.patch_size = patch[2];
  config.depth = depth_of(checkpoint);
  config.heads = std::max<int64_t>(config.width / 64, 1);
  config.layer_scale = true;
  config.registers = checkpoint.has("register_tokens") ? checkpoint.shape("register_tokens", 3)[1] : 0;
  config.prefix_position = config.registers == 0;
  const std::string gated = first_block(checkpoint, "mlp.w3.weight");
  if (checkpoint.has(gated)) config.mlp = "swiglu";
  config.mlp_width = checkpoint.shape(checkpoint.has(gated) ? gated : first_block(checkpoint, "mlp.fc2.weight"), 2)[1];
  read_linear_head(checkpoint, config);
  found.assumed.push_back(concat(config.heads, " heads and eps 1e-6, as all of the family have"));
  const int64_t side = grid_side(checkpoint.shape("pos_embed", 3)[1] - 1, "pos_embed");
  config.image_size = side * config.patch_size;
  found.rules = rules(config);
  find_chunks(checkpoint, found.rules);
  set_image_size(options, side, config.registers > 0 ? kWithRegisters : kPlain, found);
  drop(checkpoint, "mask_token", "only training on masked pictures reads it", found);
  return found;
}

}  // namespace

Family dinov2_family() {
  return {.word = "dinov2",
          .help = "DINOv2 as its authors name it, with its linear heads (--head)",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
