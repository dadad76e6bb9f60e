// The image tower of AIMv2 in transformers, and as its authors name it: Fini et al., arXiv:2411.14402.
#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-aimv2";
constexpr std::string_view kNorm = "embeddings.rms_norm.weight";
constexpr std::string_view kPositions = "vision_model.embeddings.position_embedding.weight";
constexpr std::string_view kQuery = "vision_model.encoder.layers.{}.attention.q_proj.weight";
constexpr std::array<std::string_view, 2> kPrefixes{"vision_model.", ""};
constexpr std::string_view kAuthorsNorm = "preprocessor.patchifier.norm.weight";
constexpr std::array<std::string_view, 2> kAuthorsPrefixes{"", "image_encoder."};

/// The authors' names, where one product makes q, k and v.
Renaming authors_names(std::string_view prefix) {
  Renaming file;
  file.add("vision_model.embeddings.patch_embed.", concat(prefix, "preprocessor.patchifier.proj."));
  file.add("vision_model.embeddings.rms_norm.", concat(prefix, "preprocessor.patchifier.norm."));
  file.add("vision_model.embeddings.position_embedding.weight", concat(prefix, "preprocessor.pos_embed"));
  file.add("vision_model.encoder.layers.", concat(prefix, "trunk.blocks."));
  file.add("vision_model.rms_norm.", concat(prefix, "trunk.post_trunk_norm."));
  file.add("vision_model.head.", concat(prefix, "head."));
  file.add(".rms_norm1.", ".norm_1.");
  file.add(".rms_norm2.", ".norm_2.");
  file.add(".attention.q_proj.", ".attn.qkv.");
  file.add(".attention.out_proj.", ".attn.proj.");
  file.add(".ffn.gate_proj.", ".mlp.fc1.");
  file.add(".ffn.up_proj.", ".mlp.fc3.");
  file.add(".ffn.down_proj.", ".mlp.fc2.");
  return file;
}

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  if (const std::string_view* prefix = prefix_of(checkpoint, kAuthorsNorm, kAuthorsPrefixes))
    return authors_names(*prefix);
  const std::string_view* prefix = prefix_of(checkpoint, kNorm, kPrefixes);
  if (prefix == nullptr) return std::nullopt;
  Renaming file;
  file.add("vision_model.", *prefix);
  return file;
}

/// Whether one tensor holds q, k and v.
bool is_fused(const Checkpoint& checkpoint, const Renaming& file) {
  const std::vector<int64_t>& shape = checkpoint.shape(file(with_block(kQuery, 0)), 2);
  return shape[0] == 3 * shape[1];
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

std::vector<NameRow> qkv_rows(bool fused) {
  const std::string_view query_bias = "vision_model.encoder.layers.{}.attention.q_proj.bias";
  if (fused) return {{"blocks.{}.attn.qkv.weight", {kQuery}}, {"blocks.{}.attn.qkv.bias", {query_bias}}};
  return {{"blocks.{}.attn.qkv.weight",
           {kQuery, "vision_model.encoder.layers.{}.attention.k_proj.weight",
            "vision_model.encoder.layers.{}.attention.v_proj.weight"}},
          {"blocks.{}.attn.qkv.bias",
           {query_bias, "vision_model.encoder.layers.{}.attention.k_proj.bias",
            "vision_model.encoder.layers.{}.attention.v_proj.bias"}}};
}

std::vector<NameRow> rows(bool fused) {
  std::vector<NameRow> all = qkv_rows(fused);
  all.insert(
      all.end(),
      {{"pos_embed", {kPositions}},
       {"patch_embed.proj.weight", {"vision_model.embeddings.patch_embed.weight"}},
       {"patch_embed.proj.bias", {"vision_model.embeddings.patch_embed.bias"}},
       {"patch_embed.norm.weight", {"vision_model.embeddings.rms_norm.weight"}},
       {"blocks.{}.norm1.weight", {"vision_model.encoder.layers.{}.rms_norm1.weight"}},
       {"blocks.{}.attn.proj.weight", {"vision_model.encoder.layers.{}.attention.out_proj.weight"}},
       {"blocks.{}.attn.proj.bias", {"vision_model.encoder.layers.{}.attention.out_proj.bias"}},
       {"blocks.{}.norm2.weight", {"vision_model.encoder.layers.{}.rms_norm2.weight"}},
       {"blocks.{}.mlp.fc1.weight",
        {"vision_model.encoder.layers.{}.ffn.gate_proj.weight", "vision_model.encoder.layers.{}.ffn.up_proj.weight"}},
       {"blocks.{}.mlp.fc1.bias",
        {"vision_model.encoder.layers.{}.ffn.gate_proj.bias", "vision_model.encoder.layers.{}.ffn.up_proj.bias"}},
       {"blocks.{}.mlp.fc2.weight", {"vision_model.encoder.layers.{}.ffn.down_proj.weight"}},
       {"blocks.{}.mlp.fc2.bias", {"vision_model.encoder.layers.{}.ffn.down_proj.bias"}},
       {"norm.weight", {"vision_model.rms_norm.weight"}}});
  return all;
}

/// Its Linears have no biases, unless the config says so: zeros.
void zero_absent_biases(const std::function<bool(const std::string&)>& is_there, std::vector<Rule>& rules) {
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces)
      if (piece.name.ends_with(".bias") && rule.ours.starts_with("blocks.") && !is_there(piece.name))
        piece.name.clear();
}

std::vector<Rule> rules_of(const ModelConfig& config, bool fused) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows(fused));
  without_ones("pos_embed", 1, all);
  return all;
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
  m.heads =
      config.is_null() ? std::max<int64_t>(m.width / 128, 1) : config_heads(config, "num_attention_heads", m.width, 8);
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
    const std::size_t dimensions = find_tensor(checkpoint.tensors, (*file)(kPositions))->shape.size();
    side = read_grid(checkpoint, (*file)(kPositions), dimensions == 3 ? 3 : 2, 0, config, m);
  } else {  // those that take pictures of any size
    m.position = "sincos_2d";
    m.image_size = config_side(config, "image_size", 224);
    side = m.image_size / m.patch_size;
  }
  found.rules = rules_of(m, is_fused(checkpoint, *file));
  file->apply(found.rules);
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
  std::vector<Rule> all = rules_of(config, false);
  zero_absent_biases([&](const std::string& name) { return config.qkv_bias && name.find("attention") != name.npos; },
                     all);
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
