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
#include "vit/layers/rope_layout.h"
#include "vit/layers/tokens.h"

namespace vit {

/// Where the last norm stands. Means are taken after it or before ("fc_norm" in timm).
enum class FinalNorm {
  by_pooling,  // behind the mean with pooling by it, else before
  before,
  after,
  none,
};
template <>
inline constexpr Word<FinalNorm> kWords<FinalNorm>[] = {{FinalNorm::by_pooling, "by_pooling"},
                                                        {FinalNorm::before, "before_pooling"},
                                                        {FinalNorm::after, "after_pooling"},
                                                        {FinalNorm::none, "none"}};

/// Everything that the numbers of a forward pass depend on, beside the weights. Parts are chosen by the words of their
/// tables (model/parts.h); the fields that came after the first files are written only where they differ.
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
  std::string pooling = "token";     // of readouts()
  std::string position = "learned";  // of position_embeddings()
  bool class_token = true;
  bool qkv_bias = true;
  bool layer_scale = false;
  float layer_scale_init = 1e-5f;
  std::string tokenizer = "patch";     // of tokenizers()
  std::string norm = "layernorm";      // of norms()
  std::string mixer = "attention";     // of mixers()
  std::string mlp = "mlp";             // of feed_forwards()
  std::string stages = "blocks";       // of stage_lists()
  bool prefix_position = true;         // tokens in front of the grid have rows of the position table
  int64_t registers = 0;               // learned tokens behind the class token
  bool qk_norm = false;                // of the queries and keys of each head
  RopeLayout rope = RopeLayout::none;  // rotary positions
  float rope_theta = 10000;            // base of their frequencies
  float rope_reference = 0;            // axial: places run over so many, whatever the grid; 0 = they are counted
  float rope_offset = 0;               // axial: of the first place
  RopeOrder rope_order = RopeOrder::row_first;  // axial
  int64_t conv_layers = 1;                      // of the convolutional tokenizer
  int64_t conv_kernel = 3;
  int64_t conv_stride = 1;
  int64_t conv_width = 64;                       // channels between its layers
  bool relative_bias = false;                    // of the scores, by the step between two places
  bool patch_bias = true;                        // of the patch projection
  bool patch_norm = false;                       // of the projected patches, before positions are added
  bool pre_norm = false;                         // of all tokens, before the first block
  bool attention_norm = false;                   // of the heads' outputs, before their projection
  bool mlp_norm = false;                         // of what the second Linear of a feed-forward reads
  FinalNorm final_norm = FinalNorm::by_pooling;  // where the last norm stands
  bool distilled = false;                        // a distillation token with a head of its own, behind the class token
  int64_t readout_layers = 1;                    // pooling token_avg: class tokens of so many last blocks
  int64_t pool_heads = 0;                        // pooling map: heads of its attention; 0 = as many as a block has
  int64_t pool_mlp_width = 0;                    // pooling map: F of its feed-forward; 0 = that of a block
  bool pool_prefix = false;                      // pooling map: it sees the tokens in front of the grid, too

  /// Side of the patches that the tokenizer's input is cut into; 1 = it reads pixels.
  int64_t input_patch() const;
  /// Input rows of an image, and their length.
  int64_t patches() const;
  int64_t patch_dim() const;
  /// What enters the first stage.
  Tokens tokens() const;
  int64_t head_size() const { return width / heads; }
  /// Numbers of an image that the head reads: what EngineOutputs::embeddings holds.
  int64_t feature_width() const;

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
