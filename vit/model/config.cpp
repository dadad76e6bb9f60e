#include "vit/model/config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"
#include "vit/model/parts.h"

namespace vit {

template <>
inline constexpr Word<Activation> kWords<Activation>[] = {
    {Activation::gelu_erf, "gelu"}, {Activation::gelu_tanh, "gelu_tanh"}, {Activation::quick_gelu, "quick_gelu"}};

namespace {

constexpr std::string_view kTag = "model config";

struct Preset {
  std::string_view word;
  int64_t image_size, patch_size, width, depth, heads, classes;
  void (*family)(ModelConfig& config) = nullptr;  // what it has unlike the first ViT
};

/// timm's register models: no class token, no positions in front of the grid, the mean, layer scale.
template <int64_t kRegisters, int64_t kMlpWidth>
void registers_gap(ModelConfig& c) {
  c.registers = kRegisters;
  c.mlp_width = kMlpWidth;
  c.class_token = false;
  c.prefix_position = false;
  c.pooling = "avg";
  c.layer_scale = true;
}

/// Compact convolutional transformers: Hassani et al., arXiv:2104.05704.
template <int64_t kLayers>
void compact(ModelConfig& c) {
  c.tokenizer = "conv";
  c.conv_layers = kLayers;
  c.mlp_width = 2 * c.width;
  c.qkv_bias = false;
  c.class_token = false;
  c.pooling = "seq";
}

constexpr std::array kPresets{
    Preset{"vit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000},
    Preset{"vit_small_patch16_224", 224, 16, 384, 12, 6, 1000},
    Preset{"vit_base_patch16_224", 224, 16, 768, 12, 12, 1000},
    Preset{"vit_large_patch16_224", 224, 16, 1024, 24, 16, 1000},
    Preset{"vit_tiny9_patch4_32", 32, 4, 192, 9, 3, 10},
    Preset{"vit_tiny6_patch4_32", 32, 4, 192, 6, 3, 10},
    Preset{"vit_micro_patch4_20", 20, 4, 96, 4, 3, 10},
    Preset{"vit_wee_patch16_reg1_gap_256", 256, 16, 256, 14, 4, 1000, registers_gap<1, 1280>},
    Preset{"vit_little_patch16_reg4_gap_256", 256, 16, 320, 14, 5, 1000, registers_gap<4, 1792>},
    Preset{"vit_medium_patch16_reg4_gap_256", 256, 16, 512, 12, 8, 1000, registers_gap<4, 2048>},
    Preset{"vit_betwixt_patch16_reg4_gap_256", 256, 16, 640, 12, 10, 1000, registers_gap<4, 2560>},
    Preset{"cct_7_3x1_32", 32, 4, 256, 7, 4, 10, compact<1>},
};

// Bounds that no published model comes near; they keep every product of sizes far inside 64 bits.
constexpr Range kSide{1, 1 << 14};
constexpr Range kWidth{1, 1 << 16};
constexpr Range kMlpWidth{1, 1 << 18};
constexpr Range kDepth{1, 1024};
constexpr Range kClasses{0, 1 << 22};
constexpr Range kEps{.low = 0, .high = 1, .open_low = true, .open_high = true};
constexpr int64_t kMaxTable = int64_t{1} << 30;

constexpr const char* kGroup = "Architecture, changes of --model";

constexpr OptionField<ModelConfig> kFields[] = {
    {.name = "name", .member = kMember<&ModelConfig::name>, .stored = Stored::required},
    {.name = "image_size", .member = kMember<&ModelConfig::image_size>, .range = kSide, .stored = Stored::required},
    {.name = "patch_size",
     .member = kMember<&ModelConfig::patch_size>,
     .range = kSide,
     .stored = Stored::required,
     .acts = [](const ModelConfig& c) { return c.tokenizer != "conv"; },
     .idle = "the tokenizer is conv",
     .option = "--patch-size",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "side of a patch; the side of the picture is a multiple of it"},
    {.name = "channels", .member = kMember<&ModelConfig::channels>, .range = Range{3, 3}, .stored = Stored::required},
    {.name = "width",
     .member = kMember<&ModelConfig::width>,
     .range = kWidth,
     .stored = Stored::required,
     .option = "--width",
     .unit = "N",
     .group = kGroup,
     .help = "numbers a token, a multiple of the heads"},
    {.name = "depth",
     .member = kMember<&ModelConfig::depth>,
     .range = kDepth,
     .stored = Stored::required,
     .option = "--depth",
     .unit = "N",
     .group = kGroup,
     .help = "blocks"},
    {.name = "heads",
     .member = kMember<&ModelConfig::heads>,
     .range = kWidth,
     .stored = Stored::required,
     .option = "--heads",
     .unit = "N",
     .group = kGroup,
     .help = "of attention"},
    {.name = "mlp_width",
     .member = kMember<&ModelConfig::mlp_width>,
     .range = kMlpWidth,
     .stored = Stored::required,
     .option = "--mlp-width",
     .unit = "N",
     .group = kGroup,
     .help = "numbers a token inside the feed-forward; usual are four times the width"},
    {.name = "classes", .member = kMember<&ModelConfig::classes>, .range = kClasses, .stored = Stored::required},
    {.name = "eps",
     .member = kMember<&ModelConfig::eps>,
     .range = kEps,
     .stored = Stored::required,
     .option = "--norm-eps",
     .unit = "X",
     .group = kGroup,
     .help = "added to the variance by norms"},
    {.name = "activation",
     .member = kMember<&ModelConfig::activation>,
     .stored = Stored::required,
     .acts = [](const ModelConfig& c) { return c.mlp != "swiglu" || c.pooling == "map"; },
     .idle = "swiglu is gated by SiLU",
     .option = "--activation",
     .group = kGroup,
     .help = "of the feed-forward"},
    {.name = "pooling",
     .member = kMember<&ModelConfig::pooling>,
     .stored = Stored::required,
     .option = "--pooling",
     .words = part_words<readouts>,
     .group = kGroup,
     .help = "what the head reads: the class token, the mean of the patches' tokens, both side by side (token_avg), or "
             "a sum by attention (seq, map)"},
    {.name = "position",
     .member = kMember<&ModelConfig::position>,
     .stored = Stored::required,
     .option = "--position",
     .words = part_words<position_embeddings>,
     .group = kGroup,
     .help = "embedding of the places of the patches"},
    {.name = "class_token",
     .member = kMember<&ModelConfig::class_token>,
     .stored = Stored::required,
     .option = "--class-token",
     .unit = "on|off",
     .group = kGroup,
     .help = "a token beside those of the patches"},
    {.name = "qkv_bias",
     .member = kMember<&ModelConfig::qkv_bias>,
     .stored = Stored::required,
     .option = "--qkv-bias",
     .unit = "on|off",
     .group = kGroup,
     .help = "a bias of queries, keys and values"},
    {.name = "layer_scale",
     .member = kMember<&ModelConfig::layer_scale>,
     .stored = Stored::required,
     .option = "--layer-scale",
     .unit = "on|off",
     .group = kGroup,
     .help = "learned factors of what a block adds (Touvron et al., arXiv:2103.17239)"},
    {.name = "layer_scale_init",
     .member = kMember<&ModelConfig::layer_scale_init>,
     .stored = Stored::required,
     .acts = [](const ModelConfig& c) { return c.layer_scale; },
     .idle = "layer_scale is off",
     .option = "--layer-scale-init",
     .unit = "X",
     .group = kGroup,
     .help = "their first value"},
    {.name = "tokenizer",
     .member = kMember<&ModelConfig::tokenizer>,
     .stored = Stored::changed,
     .option = "--tokenizer",
     .words = part_words<tokenizers>,
     .group = kGroup,
     .help = "how pixels become tokens"},
    {.name = "norm",
     .member = kMember<&ModelConfig::norm>,
     .stored = Stored::changed,
     .option = "--norm",
     .words = part_words<norms>,
     .group = kGroup,
     .help = "of the tokens before each branch of a block"},
    {.name = "mixer",
     .member = kMember<&ModelConfig::mixer>,
     .stored = Stored::changed,
     .option = "--mixer",
     .words = part_words<mixers>,
     .group = kGroup,
     .help = "how tokens see each other"},
    {.name = "mlp",
     .member = kMember<&ModelConfig::mlp>,
     .stored = Stored::changed,
     .option = "--mlp",
     .words = part_words<feed_forwards>,
     .group = kGroup,
     .help = "the feed-forward of a block"},
    {.name = "stages",
     .member = kMember<&ModelConfig::stages>,
     .stored = Stored::changed,
     .option = "--stages",
     .words = part_words<stage_lists>,
     .group = kGroup,
     .help = "what tokens go through"},
    {.name = "prefix_position",
     .member = kMember<&ModelConfig::prefix_position>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.position == "learned" && c.tokens().prefix > 0; },
     .idle = "no token in front of the patches has a learned position",
     .option = "--prefix-position",
     .unit = "on|off",
     .group = kGroup,
     .help = "tokens in front of the patches have rows of a learned position table"},
    {.name = "registers",
     .member = kMember<&ModelConfig::registers>,
     .range = Range{0, 1024},
     .stored = Stored::changed,
     .option = "--registers",
     .unit = "N",
     .group = kGroup,
     .help = "learned tokens beside those of the patches (Darcet et al., arXiv:2309.16588)"},
    {.name = "qk_norm",
     .member = kMember<&ModelConfig::qk_norm>,
     .stored = Stored::changed,
     .option = "--qk-norm",
     .unit = "on|off",
     .group = kGroup,
     .help = "a norm of the queries and keys of each head (Dehghani et al., arXiv:2302.05442)"},
    {.name = "rope",
     .member = kMember<&ModelConfig::rope>,
     .stored = Stored::changed,
     .option = "--rope",
     .group = kGroup,
     .help = "rotary positions of queries and keys (Su et al., arXiv:2104.09864)"},
    {.name = "rope_theta",
     .member = kMember<&ModelConfig::rope_theta>,
     .range = kAboveZero,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.rope != RopeLayout::none; },
     .idle = "rope is none",
     .option = "--rope-theta",
     .unit = "X",
     .group = kGroup,
     .help = "base of their frequencies"},
    {.name = "rope_reference",
     .member = kMember<&ModelConfig::rope_reference>,
     .range = kAtLeastZero,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.rope == RopeLayout::axial; },
     .idle = "rope is not axial",
     .option = "--rope-reference",
     .unit = "N",
     .group = kGroup,
     .help = "axial ones: patches a side that places are scaled to; 0 = they are counted"},
    {.name = "rope_offset",
     .member = kMember<&ModelConfig::rope_offset>,
     .range = Range{-kSide.high, kSide.high},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.rope == RopeLayout::axial; },
     .idle = "rope is not axial",
     .option = "--rope-offset",
     .unit = "X",
     .group = kGroup,
     .help = "axial ones: of the first place"},
    {.name = "rope_order",
     .member = kMember<&ModelConfig::rope_order>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.rope == RopeLayout::axial; },
     .idle = "rope is not axial",
     .option = "--rope-order",
     .group = kGroup,
     .help = "axial ones: ij = row first, xy = column first"},
    {.name = "conv_layers",
     .member = kMember<&ModelConfig::conv_layers>,
     .range = Range{1, 8},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "conv"; },
     .idle = "the tokenizer is not conv",
     .option = "--conv-layers",
     .unit = "N",
     .group = kGroup,
     .help = "convolutions of the convolutional tokenizer, each with a pooling of stride 2"},
    {.name = "conv_kernel",
     .member = kMember<&ModelConfig::conv_kernel>,
     .range = Range{1, 11},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "conv"; },
     .idle = "the tokenizer is not conv",
     .option = "--conv-kernel",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "side of their kernels"},
    {.name = "conv_stride",
     .member = kMember<&ModelConfig::conv_stride>,
     .range = Range{1, 8},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "conv"; },
     .idle = "the tokenizer is not conv",
     .option = "--conv-stride",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "their stride"},
    {.name = "conv_width",
     .member = kMember<&ModelConfig::conv_width>,
     .range = Range{1, 1 << 14},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "conv" && c.conv_layers > 1; },
     .idle = "there are no two convolutions",
     .option = "--conv-width",
     .unit = "N",
     .group = kGroup,
     .help = "channels between them"},
    {.name = "relative_bias",
     .member = kMember<&ModelConfig::relative_bias>,
     .stored = Stored::changed,
     .option = "--relative-bias",
     .unit = "on|off",
     .group = kGroup,
     .help = "a learned bias of attention for each step between two places (Shaw et al., arXiv:1803.02155)"},
    {.name = "patch_bias",
     .member = kMember<&ModelConfig::patch_bias>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "patch"; },
     .idle = "the tokenizer is not patch",
     .option = "--patch-bias",
     .unit = "on|off",
     .group = kGroup,
     .help = "a bias of the patch projection"},
    {.name = "patch_norm",
     .member = kMember<&ModelConfig::patch_norm>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.tokenizer == "patch"; },
     .idle = "the tokenizer is not patch",
     .option = "--patch-norm",
     .unit = "on|off",
     .group = kGroup,
     .help = "a norm of the projected patches, before positions are added"},
    {.name = "pre_norm",
     .member = kMember<&ModelConfig::pre_norm>,
     .stored = Stored::changed,
     .option = "--pre-norm",
     .unit = "on|off",
     .group = kGroup,
     .help = "a norm of all tokens before the first block, as CLIP has it"},
    {.name = "attention_norm",
     .member = kMember<&ModelConfig::attention_norm>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.mixer == "attention"; },
     .idle = "the mixer is not attention",
     .option = "--attention-norm",
     .unit = "on|off",
     .group = kGroup,
     .help = "a norm of the heads' outputs before their projection (Wang et al., arXiv:2210.06423)"},
    {.name = "mlp_norm",
     .member = kMember<&ModelConfig::mlp_norm>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.mlp == "mlp" || c.mlp == "swiglu"; },
     .idle = "the feed-forward is neither mlp nor swiglu",
     .option = "--mlp-norm",
     .unit = "on|off",
     .group = kGroup,
     .help = "a norm inside the feed-forward, before its second Linear (Wang et al., arXiv:2210.06423)"},
    {.name = "final_norm",
     .member = kMember<&ModelConfig::final_norm>,
     .stored = Stored::changed,
     .option = "--final-norm",
     .group = kGroup,
     .help = "where the last norm stands; by_pooling = behind the mean with pooling avg, else before"},
    {.name = "distilled",
     .member = kMember<&ModelConfig::distilled>,
     .stored = Stored::changed,
     .option = "--distilled",
     .unit = "on|off",
     .group = kGroup,
     .help = "a distillation token with a head of its own; logits are the mean (Touvron et al., arXiv:2012.12877)"},
    {.name = "readout_layers",
     .member = kMember<&ModelConfig::readout_layers>,
     .range = Range{1, 64},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.pooling == "token_avg"; },
     .idle = "pooling is not token_avg",
     .option = "--readout-layers",
     .unit = "N",
     .group = kGroup,
     .help = "last blocks whose class tokens the head reads (Oquab et al., arXiv:2304.07193)"},
    {.name = "pool_heads",
     .member = kMember<&ModelConfig::pool_heads>,
     .range = Range{0, 1 << 16},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.pooling == "map"; },
     .idle = "pooling is not map",
     .option = "--pool-heads",
     .unit = "N",
     .group = kGroup,
     .help = "heads of the attention that pools; 0 = as many as a block has"},
    {.name = "pool_mlp_width",
     .member = kMember<&ModelConfig::pool_mlp_width>,
     .range = Range{0, 1 << 18},
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.pooling == "map"; },
     .idle = "pooling is not map",
     .option = "--pool-mlp-width",
     .unit = "N",
     .group = kGroup,
     .help = "numbers inside the feed-forward behind it; 0 = as many as in a block"},
    {.name = "pool_prefix",
     .member = kMember<&ModelConfig::pool_prefix>,
     .stored = Stored::changed,
     .acts = [](const ModelConfig& c) { return c.pooling == "map" && c.tokens().prefix > 0; },
     .idle = "no attention pools over tokens in front of the patches",
     .option = "--pool-prefix",
     .unit = "on|off",
     .group = kGroup,
     .help = "it sees the tokens in front of the patches, too"},
};

Faults faults_of(const ModelConfig& c) {
  Faults faults;
  check_options(model_options(), c, faults);
  faults.check(c.heads < 1 || c.width % c.heads == 0, "width ", c.width, " is not a multiple of heads ", c.heads);
  faults.check(c.activation != Activation::none, "activation needs ", word_list<Activation>());
  faults.check(std::isfinite(c.layer_scale_init), "layer_scale_init is not finite");
  check_parts(c, faults);
  if (faults.empty() && c.tokens().count() * c.width > kMaxTable)
    faults.check(false, "tokens x width needs at most ", kMaxTable, ", has ", c.tokens().count() * c.width);
  return faults;
}

}  // namespace

void validate(const ModelConfig& c) { faults_of(c).raise(ErrorKind::usage, kTag, c.name); }

std::vector<std::string> model_preset_names() { return row_words(kPresets); }

ModelConfig model_preset(std::string_view name) {
  const Preset* p = find_row(kPresets, name);
  if (p == nullptr)
    fail(ErrorKind::usage, "[model] no preset is named '", name, "'; there are ", word_list(row_words(kPresets)));
  ModelConfig c;
  c.name = name;
  c.image_size = p->image_size;
  c.patch_size = p->patch_size;
  c.width = p->width;
  c.depth = p->depth;
  c.heads = p->heads;
  c.mlp_width = 4 * p->width;
  c.classes = p->classes;
  if (p->family != nullptr) p->family(c);
  return c;
}

OptionTable<ModelConfig> model_options() { return kFields; }

nlohmann::json to_json(const ModelConfig& config) { return options_json(model_options(), config); }

ModelConfig model_config_from_json(const nlohmann::json& json, std::string_view where, ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  fields.allow_only(option_names(model_options()));  // a field of a later version may change what the weights mean
  ModelConfig config;
  read_options(model_options(), fields, config);
  faults_of(config).raise(out_of_range, kTag, concat(config.name, " in ", where));
  return config;
}

}  // namespace vit
