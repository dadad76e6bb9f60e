// Names and config of the encoder that ViT, DeiT, ViT-MSN, I-JEPA and DINO's first models share in transformers.
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"

namespace vit {
namespace {

constexpr std::string_view kLayer = "vit.encoder.layer.0.layernorm_before.weight";

/// Since transformers 5, unless it saves in the older format.
void add_new_names(Renaming& file) {
  file.add("vit.encoder.layer.", "vit.layers.");
  file.add("attention.attention.query", "attention.q_proj");
  file.add("attention.attention.key", "attention.k_proj");
  file.add("attention.attention.value", "attention.v_proj");
  file.add("attention.output.dense", "attention.o_proj");
  file.add("intermediate.dense", "mlp.fc1");
  file.add("output.dense", "mlp.fc2");
}

}  // namespace

std::vector<NameRow> hf_vit_rows() {
  return {
      {"cls_token", {"vit.embeddings.cls_token"}},
      {"pos_embed", {"vit.embeddings.position_embeddings"}},
      {"patch_embed.proj.weight", {"vit.embeddings.patch_embeddings.projection.weight"}},
      {"patch_embed.proj.bias", {"vit.embeddings.patch_embeddings.projection.bias"}},
      {"blocks.{}.norm1.weight", {"vit.encoder.layer.{}.layernorm_before.weight"}},
      {"blocks.{}.norm1.bias", {"vit.encoder.layer.{}.layernorm_before.bias"}},
      {"blocks.{}.attn.qkv.weight",
       {"vit.encoder.layer.{}.attention.attention.query.weight", "vit.encoder.layer.{}.attention.attention.key.weight",
        "vit.encoder.layer.{}.attention.attention.value.weight"}},
      {"blocks.{}.attn.qkv.bias",
       {"vit.encoder.layer.{}.attention.attention.query.bias", "vit.encoder.layer.{}.attention.attention.key.bias",
        "vit.encoder.layer.{}.attention.attention.value.bias"}},
      {"blocks.{}.attn.proj.weight", {"vit.encoder.layer.{}.attention.output.dense.weight"}},
      {"blocks.{}.attn.proj.bias", {"vit.encoder.layer.{}.attention.output.dense.bias"}},
      {"blocks.{}.norm2.weight", {"vit.encoder.layer.{}.layernorm_after.weight"}},
      {"blocks.{}.norm2.bias", {"vit.encoder.layer.{}.layernorm_after.bias"}},
      {"blocks.{}.mlp.fc1.weight", {"vit.encoder.layer.{}.intermediate.dense.weight"}},
      {"blocks.{}.mlp.fc1.bias", {"vit.encoder.layer.{}.intermediate.dense.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"vit.encoder.layer.{}.output.dense.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"vit.encoder.layer.{}.output.dense.bias"}},
      {"norm.weight", {"vit.layernorm.weight"}},
      {"norm.bias", {"vit.layernorm.bias"}},
      {"head.weight", {"classifier.weight"}},
      {"head.bias", {"classifier.bias"}},
  };
}

std::optional<Renaming> hf_vit_renaming(const Checkpoint& checkpoint, std::string_view embedded,
                                        std::span<const std::string_view> prefixes) {
  for (std::string_view prefix : prefixes) {
    if (!checkpoint.has(concat(prefix, embedded))) continue;
    Renaming old_names, new_names, bare_encoder;
    add_new_names(new_names);
    bare_encoder.add("vit.encoder.", "encoder.");  // transformers 5 saves ViT-MSN so
    for (Renaming* file : {&old_names, &new_names, &bare_encoder}) {
      file->add("vit.", prefix);
      if (checkpoint.has((*file)(kLayer))) return *file;
    }
  }
  return std::nullopt;
}

void read_hf_vit(const Checkpoint& checkpoint, const Renaming& file, Recognised& found) {
  const nlohmann::json& config = checkpoint.config;
  ModelConfig& m = found.config;
  read_patch_projection(checkpoint, file("vit.embeddings.patch_embeddings.projection.weight"), m);
  m.depth = checkpoint.count(file("vit.encoder.layer.{}.layernorm_before.weight"));
  m.mlp_width = checkpoint.shape(file("vit.encoder.layer.0.intermediate.dense.weight"), 2)[0];
  m.qkv_bias = checkpoint.has(file("vit.encoder.layer.0.attention.attention.query.bias"));
  check_config(config, "hidden_size", m.width);
  check_config(config, "num_hidden_layers", m.depth);
  check_config(config, "intermediate_size", m.mlp_width);
  check_patch_size(config, m.patch_size);
  m.heads = config_heads(config, "num_attention_heads", m.width, 12);
  m.activation = config_activation(config, "hidden_act", "gelu");
  m.eps = config_eps(config, "layer_norm_eps", 1e-12);
  assume(config, concat("no config.json: ", m.heads, " heads, gelu, eps 1e-12"), found);
}

}  // namespace vit
