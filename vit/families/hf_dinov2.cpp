// DINOv2 of transformers, with and without registers.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-dinov2";
constexpr std::string_view kProjection = "embeddings.patch_embeddings.projection.weight";
constexpr std::string_view kLayerScale = "encoder.layer.0.layer_scale1.lambda1";
constexpr std::array<std::string_view, 3> kPrefixes{"dinov2.", "dinov2_with_registers.", ""};

/// What transformers interpolates with, whatever size the picture has.
GridFilter filter(bool registers) {
  GridFilter filter = kPlainBicubic;
  filter.antialias = registers;
  return filter;
}

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  for (std::string_view prefix : kPrefixes) {
    if (!checkpoint.has(concat(prefix, kProjection)) || !checkpoint.has(concat(prefix, kLayerScale))) continue;
    Renaming file;
    if (checkpoint.has(concat(prefix, "encoder.layer.0.attention.q_proj.weight"))) {  // of transformers 5
      file.add("attention.attention.query", "attention.q_proj");
      file.add("attention.attention.key", "attention.k_proj");
      file.add("attention.attention.value", "attention.v_proj");
      file.add("attention.output.dense", "attention.o_proj");
      file.add("mlp.weights_out", "mlp.down_proj");
    }
    file.add("dinov2.", prefix);
    return file;
  }
  return std::nullopt;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

enum class Mlp { plain, gated, split };  // split: gate and value in tensors of their own

std::vector<NameRow> mlp_rows(Mlp mlp) {
  if (mlp == Mlp::plain)
    return {{"blocks.{}.mlp.fc1.weight", {"dinov2.encoder.layer.{}.mlp.fc1.weight"}},
            {"blocks.{}.mlp.fc1.bias", {"dinov2.encoder.layer.{}.mlp.fc1.bias"}},
            {"blocks.{}.mlp.fc2.weight", {"dinov2.encoder.layer.{}.mlp.fc2.weight"}},
            {"blocks.{}.mlp.fc2.bias", {"dinov2.encoder.layer.{}.mlp.fc2.bias"}}};
  std::vector<NameRow> rows{{"blocks.{}.mlp.fc2.weight", {"dinov2.encoder.layer.{}.mlp.weights_out.weight"}},
                            {"blocks.{}.mlp.fc2.bias", {"dinov2.encoder.layer.{}.mlp.weights_out.bias"}}};
  if (mlp == Mlp::gated)
    rows.insert(rows.end(), {{"blocks.{}.mlp.fc1.weight", {"dinov2.encoder.layer.{}.mlp.weights_in.weight"}},
                             {"blocks.{}.mlp.fc1.bias", {"dinov2.encoder.layer.{}.mlp.weights_in.bias"}}});
  else
    rows.insert(rows.end(),
                {{"blocks.{}.mlp.fc1.weight",
                  {"dinov2.encoder.layer.{}.mlp.gate_proj.weight", "dinov2.encoder.layer.{}.mlp.up_proj.weight"}},
                 {"blocks.{}.mlp.fc1.bias",
                  {"dinov2.encoder.layer.{}.mlp.gate_proj.bias", "dinov2.encoder.layer.{}.mlp.up_proj.bias"}}});
  return rows;
}

std::vector<NameRow> rows(Mlp mlp) {
  std::vector<NameRow> all = mlp_rows(mlp);
  all.insert(all.end(), {{"cls_token", {"dinov2.embeddings.cls_token"}},
                         {"reg_token", {"dinov2.embeddings.register_tokens"}},
                         {"pos_embed", {"dinov2.embeddings.position_embeddings"}},
                         {"patch_embed.proj.weight", {"dinov2.embeddings.patch_embeddings.projection.weight"}},
                         {"patch_embed.proj.bias", {"dinov2.embeddings.patch_embeddings.projection.bias"}},
                         {"blocks.{}.norm1.weight", {"dinov2.encoder.layer.{}.norm1.weight"}},
                         {"blocks.{}.norm1.bias", {"dinov2.encoder.layer.{}.norm1.bias"}},
                         {"blocks.{}.attn.qkv.weight",
                          {"dinov2.encoder.layer.{}.attention.attention.query.weight",
                           "dinov2.encoder.layer.{}.attention.attention.key.weight",
                           "dinov2.encoder.layer.{}.attention.attention.value.weight"}},
                         {"blocks.{}.attn.qkv.bias",
                          {"dinov2.encoder.layer.{}.attention.attention.query.bias",
                           "dinov2.encoder.layer.{}.attention.attention.key.bias",
                           "dinov2.encoder.layer.{}.attention.attention.value.bias"}},
                         {"blocks.{}.attn.proj.weight", {"dinov2.encoder.layer.{}.attention.output.dense.weight"}},
                         {"blocks.{}.attn.proj.bias", {"dinov2.encoder.layer.{}.attention.output.dense.bias"}},
                         {"blocks.{}.ls1.gamma", {"dinov2.encoder.layer.{}.layer_scale1.lambda1"}},
                         {"blocks.{}.norm2.weight", {"dinov2.encoder.layer.{}.norm2.weight"}},
                         {"blocks.{}.norm2.bias", {"dinov2.encoder.layer.{}.norm2.bias"}},
                         {"blocks.{}.ls2.gamma", {"dinov2.encoder.layer.{}.layer_scale2.lambda1"}},
                         {"norm.weight", {"dinov2.layernorm.weight"}},
                         {"norm.bias", {"dinov2.layernorm.bias"}},
                         {"head.weight", {"classifier.weight"}},
                         {"head.bias", {"classifier.bias"}}});
  return all;
}

/// Positions are added before registers come in: the first row belongs to the class token, and goes into it.
void fold_class_position(const ModelConfig& config, std::vector<Rule>& rules) {
  Piece& grid = find_rule(rules, "pos_embed")->pieces.front();
  const int64_t patches = config.tokens().patches();
  grid.shape = {1, patches + 1, config.width};
  grid.along = 1;
  grid.first = 1;
  grid.rows = patches;
  Piece first = grid;
  first.first = 0;
  first.rows = 1;
  first.add = true;
  find_rule(rules, "cls_token")->pieces.push_back(first);
}

std::vector<Rule> rules_of(const ModelConfig& config, Mlp mlp) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows(mlp));
  if (config.registers > 0) fold_class_position(config, all);
  return all;
}

Mlp read_mlp(const Checkpoint& checkpoint, const Renaming& file, ModelConfig& m) {
  const auto layer = [&](std::string_view name) { return file(concat("dinov2.encoder.layer.0.mlp.", name)); };
  if (checkpoint.has(layer("fc1.weight"))) {
    m.mlp_width = checkpoint.shape(layer("fc1.weight"), 2)[0];
    return Mlp::plain;
  }
  m.mlp = "swiglu";
  m.mlp_width = checkpoint.shape(layer("weights_out.weight"), 2)[1];
  return checkpoint.has(layer("gate_proj.weight")) ? Mlp::split : Mlp::gated;
}

void read_config(const Checkpoint& checkpoint, const Renaming& file, ModelConfig& m) {
  const nlohmann::json& config = checkpoint.config;
  read_patch_projection(checkpoint, file("dinov2.embeddings.patch_embeddings.projection.weight"), m);
  m.depth = checkpoint.count(file("dinov2.encoder.layer.{}.norm1.weight"));
  m.qkv_bias = checkpoint.has(file("dinov2.encoder.layer.0.attention.attention.query.bias"));
  m.layer_scale = true;
  const std::string registers = file("dinov2.embeddings.register_tokens");
  m.registers = checkpoint.has(registers) ? checkpoint.shape(registers, 3)[1] : 0;
  m.prefix_position = m.registers == 0;
  check_config(config, "hidden_size", m.width);
  check_config(config, "num_hidden_layers", m.depth);
  check_config(config, "num_register_tokens", m.registers);
  check_patch_size(config, m.patch_size);
  m.heads = config_heads(config, "num_attention_heads", m.width, 12);
  m.activation = config_activation(config, "hidden_act", "gelu");
  m.eps = config_eps(config, "layer_norm_eps", 1e-6);
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_config(checkpoint, *file, m);
  const Mlp mlp = read_mlp(checkpoint, *file, m);
  m.classes = checkpoint.has("classifier.weight") ? checkpoint.shape("classifier.weight", 2)[0] : 0;
  if (m.classes > 0) m.pooling = "token_avg";
  const int64_t side =
      read_grid(checkpoint, (*file)("dinov2.embeddings.position_embeddings"), 3, 1, checkpoint.config, m);
  found.rules = rules_of(m, mlp);
  file->apply(found.rules);
  set_image_size(options, side, filter(m.registers > 0), found);
  drop(checkpoint, (*file)("dinov2.embeddings.mask_token"), "only pretraining masks patches", found);
  assume(checkpoint.config, concat("no config.json: ", m.heads, " heads, gelu, eps 1e-6"), found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (!config.layer_scale || (config.registers > 0) == config.prefix_position)
    fail(ErrorKind::usage, "[", kWord,
         "] needs layer_scale, and positions of the prefix tokens just where there are no ", "registers; the model ",
         config.name, " is another");
  std::vector<Rule> all = rules_of(config, config.mlp == "swiglu" ? Mlp::gated : Mlp::plain);
  Renaming file;
  if (config.registers > 0) file.add("dinov2.", "dinov2_with_registers.");
  file.apply(all);
  return all;
}

}  // namespace

Family hf_dinov2_family() {
  return {.word = std::string(kWord),
          .help = "DINOv2 of transformers, with and without registers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
