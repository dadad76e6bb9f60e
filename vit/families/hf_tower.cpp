// Names and config that the image towers of CLIP and SigLIP share in transformers.
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"

namespace vit {

std::vector<NameRow> hf_tower_rows() {
  return {
      {"pos_embed", {"vision_model.embeddings.position_embedding.weight"}},
      {"patch_embed.proj.weight", {"vision_model.embeddings.patch_embedding.weight"}},
      {"patch_embed.proj.bias", {"vision_model.embeddings.patch_embedding.bias"}},
      {"blocks.{}.norm1.weight", {"vision_model.encoder.layers.{}.layer_norm1.weight"}},
      {"blocks.{}.norm1.bias", {"vision_model.encoder.layers.{}.layer_norm1.bias"}},
      {"blocks.{}.attn.qkv.weight",
       {"vision_model.encoder.layers.{}.self_attn.q_proj.weight",
        "vision_model.encoder.layers.{}.self_attn.k_proj.weight",
        "vision_model.encoder.layers.{}.self_attn.v_proj.weight"}},
      {"blocks.{}.attn.qkv.bias",
       {"vision_model.encoder.layers.{}.self_attn.q_proj.bias", "vision_model.encoder.layers.{}.self_attn.k_proj.bias",
        "vision_model.encoder.layers.{}.self_attn.v_proj.bias"}},
      {"blocks.{}.attn.proj.weight", {"vision_model.encoder.layers.{}.self_attn.out_proj.weight"}},
      {"blocks.{}.attn.proj.bias", {"vision_model.encoder.layers.{}.self_attn.out_proj.bias"}},
      {"blocks.{}.norm2.weight", {"vision_model.encoder.layers.{}.layer_norm2.weight"}},
      {"blocks.{}.norm2.bias", {"vision_model.encoder.layers.{}.layer_norm2.bias"}},
      {"blocks.{}.mlp.fc1.weight", {"vision_model.encoder.layers.{}.mlp.fc1.weight"}},
      {"blocks.{}.mlp.fc1.bias", {"vision_model.encoder.layers.{}.mlp.fc1.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"vision_model.encoder.layers.{}.mlp.fc2.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"vision_model.encoder.layers.{}.mlp.fc2.bias"}},
      {"norm.weight", {"vision_model.post_layernorm.weight"}},
      {"norm.bias", {"vision_model.post_layernorm.bias"}},
  };
}

nlohmann::json config_of_tower(const nlohmann::json& config) {
  nlohmann::json tower = config_object(config, "vision_config");
  if (const nlohmann::json& changes = config_object(config, "vision_config_dict"); !changes.is_null()) {
    if (tower.is_null()) tower = nlohmann::json::object();
    tower.update(changes);
  }
  return tower.is_null() ? config : tower;
}

void read_hf_tower(const Checkpoint& checkpoint, const nlohmann::json& config, const Renaming& file,
                   const TowerDefaults& defaults, ModelConfig& m) {
  read_patch_projection(checkpoint, file("vision_model.embeddings.patch_embedding.weight"), m);
  m.depth = checkpoint.count(file("vision_model.encoder.layers.{}.layer_norm1.weight"));
  m.mlp_width = checkpoint.shape(file("vision_model.encoder.layers.0.mlp.fc1.weight"), 2)[0];
  check_config(config, "hidden_size", m.width);
  check_config(config, "num_hidden_layers", m.depth);
  check_config(config, "intermediate_size", m.mlp_width);
  check_patch_size(config, m.patch_size);
  m.heads = config_heads(config, "num_attention_heads", m.width, 12);
  m.activation = config_activation(config, "hidden_act", defaults.activation);
  m.eps = config_eps(config, "layer_norm_eps", defaults.eps);
}

void drop_text_tower(const Checkpoint& checkpoint, const Renaming& file, Recognised& found) {
  for (const char* name : {"text_model.*", "text_projection.*", "logit_scale", "logit_bias"})
    drop(checkpoint, name, "of the text tower, which is not run", found);
  drop(checkpoint, file("vision_model.embeddings.position_ids"), "the places are 0, 1, 2, ...", found);
}

}  // namespace vit
