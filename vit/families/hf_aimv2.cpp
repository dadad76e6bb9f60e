// The image tower of AIMv2 in transformers.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf_aimv2";
constexpr std::string_view kNorm = "embeddings.rms_norm.weight";
constexpr std::string_view kPositions = "vision_model.embeddings.position_embedding.weight";
constexpr std::array<std::string_view, 2> kPrefixes{"vision_model.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  const std::string_view* prefix = prefix_of(checkpoint, kNorm, kPrefixes);
  if (prefix == nullptr) return std::nullopt;
  Renaming file;
  file.add("vision_model.", *prefix);
  return file;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

const std::vector<NameRow>& rows() {
  static const std::vector<NameRow> all{
      {"pos_embed", {kPositions}},
      {"patch_embed.proj.weight", {"vision_model.embeddings.patch_embed.weight"}},
      {"patch_embed.proj.bias", {"vision_model.embeddings.patch_embed.bias"}},
      {"patch_embed.norm.weight", {"vision_model.embeddings.rms_norm.weight"}},
      {"blocks.{}.norm1.weight", {"vision_model.encoder.layers.{}.rms_norm1.weight"}},
      {"blocks.{}.attn.qkv.weight",
       {"vision_model.encoder.layers.{}.attention.q_proj.weight",
        "vision_model.encoder.layers.{}.attention.k_proj.weight",
        "vision_model.encoder.layers.{}.attention.v_proj.weight"}},
      {"blocks.{}.attn.qkv.bias",
       {"vision_model.encoder.layers.{}.attention.q_proj.bias", "vision_model.encoder.layers.{}.attention.k_proj.bias",
        "vision_model.encoder.layers.{}.attention.v_proj.bias"}},
      {"blocks.{}.attn.proj.weight", {"vision_model.encoder.layers.{}.attention.out_proj.weight"}},
      {"blocks.{}.attn.proj.bias", {"vision_model.encoder.layers.{}.attention.out_proj.bias"}},
      {"blocks.{}.norm2.weight", {"vision_model.encoder.layers.{}.rms_norm2.weight"}},
      {"blocks.{}.mlp.fc1.weight",
       {"vision_model.encoder.layers.{}.ffn.gate_proj.weight", "vision_model.encoder.layers.{}.ffn.up_proj.weight"}},
      {"blocks.{}.mlp.fc1.bias",
       {"vision_model.encoder.layers.{}.ffn.gate_proj.bias", "vision_model.encoder.layers.{}.ffn.up_proj.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"vision_model.encoder.layers.{}.ffn.down_proj.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"vision_model.encoder.layers.{}.ffn.down_proj.bias"}},
      {"norm.weight", {"vision_model.rms_norm.weight"}}};
  return all;
}

/// Its Linears have no biases, unless the config says so: zeros.
void zero_absent_biases(const std::function<bool(const std::string&)>& is_there, std::vector<Rule>& rules) {
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces)
      if (piece.name.ends_with(".bias") && rule.ours.starts_with("blocks.") && !is_there(piece.name)) piece.name.clear();
}

void read_config(const Checkpoint& checkpoint, const nlohmann::json& config, const Renaming& file, ModelConfig& m) {
  read_patch_projection(checkpoint, file("vision_model.embeddings.patch_embed.weight"), m);
  m.depth = checkpoint.count(file("vision_model.encoder.layers.{}.rms_norm1.weight"));
  m.mlp_width = checkpoint.shape(file("vision_model.encoder.layers.0.ffn.gate_proj.weight"), 2)[0];
  m.qkv_bias = checkpoint.has(file("vision_model.encoder.layers.0.attention.q_proj.bias"));
  check_config(config, "hidden_size", m.width);
  check_config(config, "num_hidden_layers", m.depth);
  check_config(config, "intermediate_size", m.mlp_width);
  check_patch_size(config, m.patch_size);
  m.heads = config.is_null() ? std::max<int64_t>(m.width / 128, 1)
                             : config_heads(config, "num_attention_heads", m.width, 8);
  m.eps = config_eps(config, "rms_norm_eps", 1e-5);
  if (const std::string gate = config_text(config, "hidden_act", "silu"); gate != "silu")
    fail(ErrorKind::data, "[config.json] hidden_act: needs silu, has ", gate);
  m.patch_norm = true;
  m.norm = "rmsnorm";
  m.mlp = "swiglu";
  m.class_token = false;
  m.pooling = "avg";
  m.final_norm = FinalNorm::before;
  m.classes = 0;
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  const nlohmann::json config = config_of_tower(checkpoint.config);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_config(checkpoint, config, *file, m);
  int64_t side = 0;
  if (checkpoint.has((*file)(kPositions))) {
    side = read_grid(checkpoint, (*file)(kPositions), 2, 0, config, m);
  } else {  // those that take pictures of any size
    m.position = "sincos_2d";
    m.image_size = config_side(config, "image_size", 224);
    side = m.image_size / m.patch_size;
  }
  read_rules(kWord, rows(), *file, found);
  zero_absent_biases([&](const std::string& name) { return checkpoint.has(name); }, found.rules);
  set_image_size(options, side, kPlainBicubic, found);
  drop(checkpoint, (*file)("vision_model.head.") + "*",
       "this pooling by attention is not known here: the features are the mean of the normed tokens", found);
  drop(checkpoint, "visual_projection.weight", "it belongs to that pooling", found);
  drop_text_tower(checkpoint, *file, found);
  assume(config, concat("no config.json: ", m.heads, " heads, eps 1e-5, pictures of ", m.image_size, " pixels"), found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows());
  zero_absent_biases([&](const std::string& name) { return config.qkv_bias && name.find("attention") != name.npos; }, all);
  Renaming file;
  file.add("vision_model.", "");
  file.apply(all);
  return all;
}

}  // namespace

Family hf_aimv2_family() {
  return {.word = std::string(kWord),
          .help = "the image tower of AIMv2 in transformers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
