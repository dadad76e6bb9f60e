// DINOv3's Vision Transformers of transformers.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-dinov3";
constexpr std::string_view kProjection = "embeddings.patch_embeddings.weight";
constexpr std::array<std::string_view, 2> kLayers{"layer.", "model.layer."};  // of transformers 4, and 5's own names

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  if (!checkpoint.has(kProjection)) return std::nullopt;
  for (std::string_view layers : kLayers) {
    if (!checkpoint.has(concat(layers, "0.layer_scale1.lambda1"))) continue;
    Renaming file;
    if (layers != kLayers[0]) file.add("layer.", layers);
    return file;
  }
  return std::nullopt;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

std::vector<NameRow> rows(bool gated) {
  std::vector<NameRow> all{
      {"cls_token", {"embeddings.cls_token"}},
      {"reg_token", {"embeddings.register_tokens"}},
      {"patch_embed.proj.weight", {"embeddings.patch_embeddings.weight"}},
      {"patch_embed.proj.bias", {"embeddings.patch_embeddings.bias"}},
      {"blocks.{}.norm1.weight", {"layer.{}.norm1.weight"}},
      {"blocks.{}.norm1.bias", {"layer.{}.norm1.bias"}},
      {"blocks.{}.attn.qkv.weight",
       {"layer.{}.attention.q_proj.weight", "layer.{}.attention.k_proj.weight", "layer.{}.attention.v_proj.weight"}},
      {"blocks.{}.attn.qkv.bias",
       {"layer.{}.attention.q_proj.bias", "layer.{}.attention.k_proj.bias", "layer.{}.attention.v_proj.bias"}},
      {"blocks.{}.attn.proj.weight", {"layer.{}.attention.o_proj.weight"}},
      {"blocks.{}.attn.proj.bias", {"layer.{}.attention.o_proj.bias"}},
      {"blocks.{}.ls1.gamma", {"layer.{}.layer_scale1.lambda1"}},
      {"blocks.{}.norm2.weight", {"layer.{}.norm2.weight"}},
      {"blocks.{}.norm2.bias", {"layer.{}.norm2.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"layer.{}.mlp.down_proj.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"layer.{}.mlp.down_proj.bias"}},
      {"blocks.{}.ls2.gamma", {"layer.{}.layer_scale2.lambda1"}},
      {"norm.weight", {"norm.weight"}},
      {"norm.bias", {"norm.bias"}}};
  if (gated)
    all.insert(all.end(),
               {{"blocks.{}.mlp.fc1.weight", {"layer.{}.mlp.gate_proj.weight", "layer.{}.mlp.up_proj.weight"}},
                {"blocks.{}.mlp.fc1.bias", {"layer.{}.mlp.gate_proj.bias", "layer.{}.mlp.up_proj.bias"}}});
  else
    all.insert(all.end(), {{"blocks.{}.mlp.fc1.weight", {"layer.{}.mlp.up_proj.weight"}},
                           {"blocks.{}.mlp.fc1.bias", {"layer.{}.mlp.up_proj.bias"}}});
  return all;
}

/// Biases that the config switches off are zeros. With rotary positions those of keys count, too.
void zero_absent_biases(const Checkpoint& checkpoint, std::vector<Rule>& rules) {
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces)
      if (piece.name.ends_with(".bias") && piece.name.find("layer.") != std::string::npos &&
          !checkpoint.has(piece.name))
        piece.name.clear();
}

void read_config(const Checkpoint& checkpoint, const Renaming& file, ModelConfig& m) {
  const nlohmann::json& config = checkpoint.config;
  read_patch_projection(checkpoint, std::string(kProjection), m);
  m.depth = checkpoint.count(file("layer.{}.norm1.weight"));
  m.mlp_width = checkpoint.shape(file("layer.0.mlp.up_proj.weight"), 2)[0];
  m.registers = checkpoint.has("embeddings.register_tokens") ? checkpoint.shape("embeddings.register_tokens", 3)[1] : 0;
  m.layer_scale = true;
  m.position = "none";
  m.rope = RopeLayout::dinov3;
  check_config(config, "hidden_size", m.width);
  check_config(config, "num_hidden_layers", m.depth);
  check_config(config, "intermediate_size", m.mlp_width);
  check_config(config, "num_register_tokens", m.registers);
  check_patch_size(config, m.patch_size);
  m.heads = config_heads(config, "num_attention_heads", m.width, 6);
  m.eps = config_eps(config, "layer_norm_eps", 1e-5);
  m.rope_theta = static_cast<float>(config_number(config, "rope_theta", 100));
  m.image_size = config_side(config, "image_size", 224);
}

void read_mlp(const Checkpoint& checkpoint, const Renaming& file, ModelConfig& m) {
  if (checkpoint.has(file("layer.0.mlp.gate_proj.weight"))) {
    m.mlp = "swiglu";
    if (const std::string gate = config_text(checkpoint.config, "hidden_act", "silu"); gate != "silu")
      fail(ErrorKind::data, "[config.json] hidden_act: needs silu where the feed-forward is gated, has ", gate);
  } else {
    m.activation = config_activation(checkpoint.config, "hidden_act", "gelu");
  }
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_config(checkpoint, *file, m);
  read_mlp(checkpoint, *file, m);
  m.classes = 0;
  found.rules = rules_by_names(kWord, m, rows(m.mlp == "swiglu"));
  file->apply(found.rules);
  zero_absent_biases(checkpoint, found.rules);
  set_image_size(options, m.image_size / m.patch_size, {}, found);
  drop(checkpoint, "embeddings.mask_token", "only pretraining masks patches", found);
  assume(checkpoint.config,
         concat("no config.json: ", m.heads, " heads, gelu, eps 1e-5, rope_theta 100, pictures of 224 pixels"), found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (config.rope != RopeLayout::dinov3 || !config.layer_scale)
    fail(ErrorKind::usage, "[", kWord, "] needs rope dinov3 and layer_scale, the model ", config.name, " is another");
  std::vector<Rule> all = rules_by_names(kWord, config, rows(config.mlp == "swiglu"));
  for (Rule& rule : all)  // biases of keys, as the published models have none
    for (Piece& piece : rule.pieces)
      if (piece.name.ends_with(".k_proj.bias")) piece.name.clear();
  return all;
}

}  // namespace

Family hf_dinov3_family() {
  return {.word = std::string(kWord),
          .help = "DINOv3's Vision Transformers of transformers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
