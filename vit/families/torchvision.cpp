// torchvision's VisionTransformer.
#include "vit/core/error.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

// Its own interpolate_embeddings.
constexpr GridFilter kFilter{.antialias = false, .align_corners = true};

const std::vector<NameRow>& rows() {
  static const std::vector<NameRow> kRows{
      {"cls_token", {"class_token"}},
      {"pos_embed", {"encoder.pos_embedding"}},
      {"patch_embed.proj.weight", {"conv_proj.weight"}},
      {"patch_embed.proj.bias", {"conv_proj.bias"}},
      {"blocks.{}.norm1.weight", {"encoder.layers.encoder_layer_{}.ln_1.weight"}},
      {"blocks.{}.norm1.bias", {"encoder.layers.encoder_layer_{}.ln_1.bias"}},
      {"blocks.{}.attn.qkv.weight", {"encoder.layers.encoder_layer_{}.self_attention.in_proj_weight"}},
      {"blocks.{}.attn.qkv.bias", {"encoder.layers.encoder_layer_{}.self_attention.in_proj_bias"}},
      {"blocks.{}.attn.proj.weight", {"encoder.layers.encoder_layer_{}.self_attention.out_proj.weight"}},
      {"blocks.{}.attn.proj.bias", {"encoder.layers.encoder_layer_{}.self_attention.out_proj.bias"}},
      {"blocks.{}.norm2.weight", {"encoder.layers.encoder_layer_{}.ln_2.weight"}},
      {"blocks.{}.norm2.bias", {"encoder.layers.encoder_layer_{}.ln_2.bias"}},
      {"blocks.{}.mlp.fc1.weight", {"encoder.layers.encoder_layer_{}.mlp.0.weight"}},
      {"blocks.{}.mlp.fc1.bias", {"encoder.layers.encoder_layer_{}.mlp.0.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"encoder.layers.encoder_layer_{}.mlp.3.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"encoder.layers.encoder_layer_{}.mlp.3.bias"}},
      {"norm.weight", {"encoder.ln.weight"}},
      {"norm.bias", {"encoder.ln.bias"}},
      {"head.weight", {"heads.head.weight"}},
      {"head.bias", {"heads.head.bias"}},
  };
  return kRows;
}

/// As files of torchvision before 0.13 name the feed-forward.
void use_old_names(std::vector<Rule>& rules) {
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces)
      for (const auto& [now, then] : {std::pair{"mlp.0.", "mlp.linear_1."}, std::pair{"mlp.3.", "mlp.linear_2."}})
        if (const std::size_t at = piece.name.find(now); at != std::string::npos)
          piece.name.replace(at, std::string_view(now).size(), then);
}

std::vector<Rule> rules(const ModelConfig& config) { return rules_by_names("torchvision", config, rows()); }

bool matches(const Checkpoint& checkpoint) {
  return checkpoint.has("conv_proj.weight") && checkpoint.has("encoder.pos_embedding");
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  if (checkpoint.has("heads.pre_logits.weight"))
    fail(ErrorKind::data, "[import] heads.pre_logits in ", checkpoint.tensors.path().string(),
         " has no place: a head of two layers is not known here");
  Recognised found;
  ModelConfig& config = found.config;
  const std::vector<int64_t>& patch = checkpoint.shape("conv_proj.weight", 4);
  config.name = "torchvision_vit";
  config.width = patch[0];
  config.patch_size = patch[2];
  config.depth = checkpoint.count("encoder.layers.encoder_layer_{}.ln_1.weight");
  const bool old_names = checkpoint.has("encoder.layers.encoder_layer_0.mlp.linear_1.weight");
  config.mlp_width = checkpoint.shape(
      old_names ? "encoder.layers.encoder_layer_0.mlp.linear_1.bias" : "encoder.layers.encoder_layer_0.mlp.0.bias",
      1)[0];
  const int64_t usual = config.width == 1280 ? 16 : std::max<int64_t>(config.width / 64, 1);
  const nlohmann::json& folder = checkpoint.config;  // of an export; torchvision itself has none
  const bool told = folder.is_object() && folder.contains("arguments");
  config.heads = told ? config_integer(folder["arguments"], "num_heads", usual) : usual;
  if (!told) found.assumed.push_back(concat(config.heads, " heads, as others of width ", config.width));
  config.classes = checkpoint.has("heads.head.weight") ? checkpoint.shape("heads.head.weight", 2)[0] : 0;
  const int64_t side = grid_side(checkpoint.shape("encoder.pos_embedding", 3)[1] - 1, "encoder.pos_embedding");
  config.image_size = side * config.patch_size;
  found.rules = rules(config);
  if (old_names) use_old_names(found.rules);
  set_image_size(options, side, kFilter, found);
  return found;
}

}  // namespace

Family torchvision_family() {
  return {.word = "torchvision",
          .help = "torchvision's vit_b_16 and the like, names of all its versions",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
