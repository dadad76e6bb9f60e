#include "vit/families/timm_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

constexpr int64_t kUsualSide = 224;

const nlohmann::json& child(const nlohmann::json& config, const char* field) {
  static const nlohmann::json none;
  return config.is_object() && config.contains(field) && config[field].is_object() ? config[field] : none;
}

/// A side that stands alone, twice, or twice behind the number of colours.
std::optional<int64_t> side_of(const nlohmann::json& config, const char* field) {
  if (!config.is_object() || !config.contains(field) || config[field].is_null()) return std::nullopt;
  const nlohmann::json& value = config[field];
  const bool list = value.is_array() && !value.empty();
  if (list && value.size() > 1 && value[value.size() - 2] != value.back())
    fail(ErrorKind::data, "[config.json] ", field, ": needs the side of a square, has ", json_text(value));
  return config_integer(nlohmann::json{{field, list ? value.back() : value}}, field, 0);
}

constexpr std::array<std::pair<std::string_view, Activation>, 6> kActivations{{
    {"gelu", Activation::gelu_erf},
    {"gelu_tanh", Activation::gelu_tanh},
    {"gelutanh", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"quick_gelu", Activation::quick_gelu},
    {"quickgelu", Activation::quick_gelu},
}};

bool is_square(int64_t n) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(n, 0)))));
  return side > 0 && side * side == n;
}

/// Width of a patch's rows to its side: 3 * P * P.
int64_t patch_side(int64_t values, std::string_view name) { return grid_side(values % 3 == 0 ? values / 3 : 0, name); }

void read_patches(const Checkpoint& checkpoint, ModelConfig& config) {
  const std::string name = "patch_embed.proj.weight";
  const TensorEntry* entry = find_tensor(checkpoint.tensors, name);
  if (entry != nullptr && entry->shape.size() == 2) {  // of old files
    config.width = entry->shape[0];
    config.patch_size = patch_side(entry->shape[1], name);
  } else {
    const std::vector<int64_t>& shape = checkpoint.shape(name, 4);
    if (shape[1] != 3 || shape[2] != shape[3])
      fail(ErrorKind::data, "[import] ", name, " needs 3 colours and square patches, has ", shape[1], " and ", shape[2],
           " x ", shape[3]);
    config.width = shape[0];
    config.patch_size = shape[2];
  }
  config.patch_bias = checkpoint.has("patch_embed.proj.bias");
  config.patch_norm = checkpoint.has("patch_embed.norm.weight");
}

void read_feed_forward(const Checkpoint& checkpoint, ModelConfig& config) {
  config.mlp_width = checkpoint.shape("blocks.0.mlp.fc2.weight", 2)[1];
  const bool split = checkpoint.has("blocks.0.mlp.fc1_g.weight");
  if (split || checkpoint.shape("blocks.0.mlp.fc1.weight", 2)[0] == 2 * config.mlp_width) config.mlp = "swiglu";
  config.mlp_norm = checkpoint.has("blocks.0.mlp.norm.weight");
}

}  // namespace

TimmConfig::TimmConfig(const nlohmann::json& config)
    : architecture_(config_text(config, "architecture", "")), arguments_(child(config, "model_args")) {
  architecture_ = architecture_.substr(0, architecture_.find('.'));  // without the tag of the weights
  pretrained_ = config.is_object() && config.contains("pretrained_cfg") ? child(config, "pretrained_cfg") : config;
  pooling_ = config_text(arguments_, "global_pool", config_text(config, "global_pool", ""));
}

std::optional<int64_t> TimmConfig::image_size() const { return side_of(arguments_, "img_size"); }

std::optional<int64_t> TimmConfig::input_size() const { return side_of(pretrained_, "input_size"); }

void TimmConfig::apply(ModelConfig& config) const {
  config.heads = config_integer(arguments_, "num_heads", config.heads);
  const std::string activation = config_text(arguments_, "act_layer", "");
  if (!activation.empty()) {
    const auto known = std::ranges::find(kActivations, activation, &decltype(kActivations)::value_type::first);
    if (known == kActivations.end())
      fail(ErrorKind::data, "[config.json] model_args.act_layer '", activation, "' is not known here");
    config.activation = known->second;
  }
  const std::string norm = config_text(arguments_, "norm_layer", "");
  if (norm == "layernorm" || norm == "rmsnorm") config.eps = 1e-6f;
}

void TimmConfig::refuse(std::initializer_list<const char*> arguments) const {
  for (const char* argument : arguments) {
    if (!arguments_.is_object() || !arguments_.contains(argument)) continue;
    const nlohmann::json& value = arguments_[argument];
    const bool unset = value.is_null() || value == false || value == 0;
    if (!unset)
      fail(ErrorKind::data, "[config.json] model_args.", argument, " ", json_text(value), " is not known here");
  }
}

ModelConfig timm_shapes(const Checkpoint& checkpoint) {
  ModelConfig config;
  read_patches(checkpoint, config);
  config.depth = checkpoint.count("blocks.{}.norm1.weight");
  config.heads = 0;
  config.class_token = checkpoint.has("cls_token");
  config.distilled = checkpoint.has("dist_token");
  config.registers = checkpoint.has("reg_token") ? checkpoint.shape("reg_token", 3)[1] : 0;
  config.position = checkpoint.has("pos_embed") ? "learned" : "none";
  config.norm = checkpoint.has("blocks.0.norm1.bias") ? "layernorm" : "rmsnorm";
  config.qk_norm = checkpoint.has("blocks.0.attn.q_norm.weight");
  config.attention_norm = checkpoint.has("blocks.0.attn.norm.weight");
  config.pre_norm = checkpoint.has("norm_pre.weight");
  read_feed_forward(checkpoint, config);
  const bool before = checkpoint.has("norm.weight"), after = checkpoint.has("fc_norm.weight");
  config.final_norm = before ? FinalNorm::before : after ? FinalNorm::after : FinalNorm::none;
  config.classes = checkpoint.has("head.weight") ? checkpoint.shape("head.weight", 2)[0] : 0;
  return config;
}

int64_t timm_grid(const Checkpoint& checkpoint, const TimmConfig& timm, ModelConfig& config,
                  std::vector<std::string>& assumed) {
  const std::optional<int64_t> said = timm.image_size() ? timm.image_size() : timm.input_size();
  if (!checkpoint.has("pos_embed")) {
    if (!said) {
      config.image_size = kUsualSide / config.patch_size * config.patch_size;
      assumed.push_back(concat("pictures of ", config.image_size, " pixels (no tensor shows it; --image-size)"));
    }
    return said.value_or(config.image_size) / config.patch_size;
  }
  const int64_t rows = checkpoint.shape("pos_embed", 3)[1];
  const int64_t prefix = int64_t{config.class_token} + int64_t{config.distilled} + config.registers;
  const int64_t side = said.value_or(0) / config.patch_size;
  const bool with = rows - prefix == side * side, without = rows == side * side;  // by what the config says
  config.prefix_position = with || (!without && is_square(rows - prefix));
  if (prefix == 0) config.prefix_position = true;  // which is the same
  return grid_side(config.prefix_position ? rows - prefix : rows, "pos_embed");
}

std::vector<Rule> timm_rules(const Checkpoint& checkpoint, const ModelConfig& config, std::span<const NameRow> rows) {
  std::vector<NameRow> all(rows.begin(), rows.end());
  for (std::string_view bias : {"blocks.{}.attn.proj.bias", "blocks.{}.mlp.fc1.bias", "blocks.{}.mlp.fc2.bias"})
    if (!checkpoint.has(with_block(bias, 0))) all.push_back({bias, {kZeros}});
  return rules_by_names("timm", config, all, /*same_names=*/true);
}

ImportOptions timm_options(const ImportOptions& options, const TimmConfig& timm, bool dynamic) {
  ImportOptions result = options;
  if (result.image_size == 0 && dynamic) result.image_size = timm.input_size().value_or(0);
  return result;
}

}  // namespace vit
