// The architecture of a Vision Transformer: Dosovitskiy et al., arXiv:2010.11929, with timm's names.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/option_table.h"
#include "vit/kernels/gemm.h"
#include "vit/layers/pooling.h"
#include "vit/layers/pos_embed.h"

namespace vit {

/// Everything that the numbers of a forward pass depend on, beside the weights.
struct ModelConfig {
  std::string name = "custom";
  int64_t image_size = 224;
  int64_t patch_size = 16;
  int64_t channels = 3;
  int64_t width = 192;
  int64_t depth = 12;
  int64_t heads = 3;
  int64_t mlp_width = 768;
  int64_t classes = 1000;  // 0 = no head, the pooled features come out
  float eps = 1e-6f;
  Activation activation = Activation::gelu_erf;
  Pooling pooling = Pooling::class_token;
  PositionEmbedding position = PositionEmbedding::learned;
  bool class_token = true;
  bool qkv_bias = true;
  bool layer_scale = false;
  float layer_scale_init = 1e-5f;

  int64_t grid() const { return image_size / patch_size; }
  int64_t patches() const { return grid() * grid(); }
  int64_t tokens() const { return patches() + (class_token ? 1 : 0); }
  int64_t patch_dim() const { return channels * patch_size * patch_size; }
  int64_t head_size() const { return width / heads; }

  bool operator==(const ModelConfig&) const = default;
};

/// The fields: their JSON, ranges and options of the command line.
OptionTable<ModelConfig> model_options();
/// All faults of a configuration in one Error (usage), or nothing.
void validate(const ModelConfig& config);

/// A named architecture ("vit_tiny_patch16_224", ...). Throws Error (usage) that lists the names.
ModelConfig model_preset(std::string_view name);
std::vector<std::string> model_preset_names();

nlohmann::json to_json(const ModelConfig& config);
/// Throws Error (data) that names the field; `where` is the file for the message. `out_of_range`: the kind where a
/// value has the right type but cannot be.
ModelConfig model_config_from_json(const nlohmann::json& json, std::string_view where,
                                   ErrorKind out_of_range = ErrorKind::data);

}  // namespace vit
