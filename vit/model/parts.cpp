#include "vit/model/parts.h"

#include <algorithm>

#include "vit/layers/attention.h"
#include "vit/layers/conv_tokenizer.h"
#include "vit/layers/distilled_readout.h"
#include "vit/layers/map_readout.h"
#include "vit/layers/mlp.h"
#include "vit/layers/patch_tokenizer.h"
#include "vit/layers/pooled_readout.h"
#include "vit/layers/pos_embed.h"
#include "vit/layers/qk_norm.h"
#include "vit/layers/relative_bias.h"
#include "vit/layers/rms_norm.h"
#include "vit/layers/rope.h"
#include "vit/layers/sequence_readout.h"
#include "vit/layers/swiglu.h"
#include "vit/layers/token_mean_readout.h"

namespace vit {
namespace {

Tokens patch_grid(const ModelConfig& c) {
  return {.prefix = 0, .rows = c.image_size / c.patch_size, .cols = c.image_size / c.patch_size};
}

void check_patches(const ModelConfig& c, Faults& faults) {
  faults.check(c.patch_size < 1 || c.image_size % c.patch_size == 0, "image_size ", c.image_size,
               " is not a multiple of patch_size ", c.patch_size);
}

/// The norm of a config in a place where it has one, else null.
MakeNorm norm_where(bool wanted, const ModelConfig& c) { return wanted ? norm_of(c) : MakeNorm(); }

std::unique_ptr<Tokenizer> make_patch_tokenizer(const ModelConfig& c, Registry& registry) {
  return std::make_unique<PatchTokenizer>(registry, PatchTokenizer::Options{.patches = c.patches(),
                                                                            .patch_size = c.patch_size,
                                                                            .channels = c.channels,
                                                                            .width = c.width,
                                                                            .bias = c.patch_bias,
                                                                            .norm = norm_where(c.patch_norm, c)});
}

std::unique_ptr<Norm> make_layer_norm(const ModelConfig& c, Registry& registry, const std::string& name,
                                      int64_t width) {
  return std::make_unique<LayerNorm>(registry, name, width, c.eps);
}

Attention::Options attention_options(const ModelConfig& c) {
  Attention::Options options{
      .width = c.width, .heads = c.heads, .qkv_bias = c.qkv_bias, .norm = norm_where(c.attention_norm, c)};
  for (const QueryKeyMapPart& part : query_key_maps().rows())
    if (part.wanted(c))
      options.maps.push_back([make = part.make, c](Registry& registry, const std::string& name,
                                                   const MixerPlace& place) { return make(c, registry, name, place); });
  for (const AttentionBiasPart& part : attention_biases().rows())
    if (part.wanted(c))
      options.bias = [make = part.make, c](Registry& registry, const std::string& name, const MixerPlace& place) {
        return make(c, registry, name, place);
      };
  return options;
}

std::unique_ptr<Mixer> make_attention(const ModelConfig& c, Registry& registry, const std::string& name,
                                      const MixerPlace& place) {
  return std::make_unique<Attention>(registry, name, attention_options(c), place);
}

std::unique_ptr<FeedForward> make_mlp(const ModelConfig& c, Registry& registry, const std::string& name,
                                      int dropout_site) {
  return std::make_unique<Mlp>(registry, name,
                               Mlp::Options{.width = c.width,
                                            .hidden = c.mlp_width,
                                            .activation = c.activation,
                                            .dropout_site = dropout_site,
                                            .norm = norm_where(c.mlp_norm, c)});
}

BlockParts block_parts(const ModelConfig& c) {
  return {.norm = norm_of(c),
          .mixer = [&c](Registry& registry, const std::string& name,
                        const MixerPlace& place) { return mixers().at(c.mixer).make(c, registry, name, place); },
          .feed_forward = [&c](Registry& registry, const std::string& name,
                               int site) { return feed_forwards().at(c.mlp).make(c, registry, name, site); }};
}

/// `depth` equal blocks.
std::vector<std::unique_ptr<Stage>> make_blocks(const ModelConfig& c, Registry& registry, bool class_row) {
  std::vector<std::unique_ptr<Stage>> blocks;
  const BlockParts parts = block_parts(c);
  for (int64_t i = 0; i < c.depth; ++i)
    blocks.push_back(std::make_unique<Block>(
        registry, concat("blocks.", i),
        Block::Options{.width = c.width,
                       .tokens = c.tokens(),
                       .layer_scale = c.layer_scale,
                       .layer_scale_init = c.layer_scale_init,
                       .class_row = class_row && i == c.depth - 1 && mixers().at(c.mixer).class_row,
                       .index = i,
                       .depth = c.depth},
        parts));
  return blocks;
}

/// The norms around a readout's pooling; `by_pooling`: where the one of this kind of readout stands, where nothing else
/// is said.
FinalNorms final_norms(const ModelConfig& c, FinalNorm by_pooling) {
  const FinalNorm place = c.final_norm == FinalNorm::by_pooling ? by_pooling : c.final_norm;
  return {.before = norm_where(place == FinalNorm::before, c), .after = norm_where(place == FinalNorm::after, c)};
}

template <Pooling kPooling>
std::unique_ptr<Readout> make_pooled_readout(const ModelConfig& c, Registry& registry) {
  return std::make_unique<PooledReadout>(
      registry, PooledReadout::Options{.width = c.width, .classes = c.classes, .pooling = kPooling},
      final_norms(c, kPooling == Pooling::mean ? FinalNorm::after : FinalNorm::before));
}

void share_grid(const ModelConfig&, const Tokens& tokens, double* shares) {
  std::fill_n(shares + tokens.prefix, tokens.patches(), 1 / static_cast<double>(tokens.patches()));
}

void needs_class_token(const ModelConfig& c, Faults& faults) {
  faults.check(c.class_token, "pooling by class token needs class_token");
}

// ---- readouts that norm all that they read, before they pool ----

void check_norm_before(const ModelConfig& c, Faults& faults) {
  faults.check(c.final_norm != FinalNorm::after, "final_norm: pooling ", c.distilled ? "of distilled" : c.pooling,
               " has its norm before it, not after_pooling");
}

/// Null where the config wants none.
MakeNorm norm_before(const ModelConfig& c) { return norm_where(c.final_norm != FinalNorm::none, c); }

void check_token_readout(const ModelConfig& c, Faults& faults) {
  needs_class_token(c, faults);
  if (c.distilled) check_norm_before(c, faults);
}

std::unique_ptr<Readout> make_token_readout(const ModelConfig& c, Registry& registry) {
  if (!c.distilled) return make_pooled_readout<Pooling::class_token>(c, registry);
  return std::make_unique<DistilledReadout>(registry, DistilledReadout::Options{.width = c.width, .classes = c.classes},
                                            norm_before(c));
}

void share_first_tokens(const ModelConfig& c, const Tokens&, double* shares) {
  const int64_t count = c.distilled ? 2 : 1;
  std::fill_n(shares, count, 1 / static_cast<double>(count));
}

void check_token_mean(const ModelConfig& c, Faults& faults) {
  needs_class_token(c, faults);
  check_norm_before(c, faults);
  faults.check(c.readout_layers <= c.depth, "readout_layers ", c.readout_layers, " is more than depth ", c.depth);
}

std::unique_ptr<Readout> make_token_mean_readout(const ModelConfig& c, Registry& registry) {
  return std::make_unique<TokenMeanReadout>(
      registry, TokenMeanReadout::Options{.width = c.width, .classes = c.classes, .layers = c.readout_layers},
      norm_before(c));
}

void share_token_and_grid(const ModelConfig& c, const Tokens& tokens, double* shares) {
  share_grid(c, tokens, shares);
  for (int64_t t = 0; t < tokens.count(); ++t) shares[t] /= 2;
  shares[0] = 0.5;
}

int64_t pool_heads(const ModelConfig& c) { return c.pool_heads > 0 ? c.pool_heads : c.heads; }

void check_map(const ModelConfig& c, Faults& faults) {
  check_norm_before(c, faults);
  faults.check(c.pool_heads < 1 || c.width % c.pool_heads == 0, "width ", c.width, " is not a multiple of pool_heads ",
               c.pool_heads);
}

std::unique_ptr<Readout> make_map_readout(const ModelConfig& c, Registry& registry) {
  constexpr int kDropoutSite = (1 << 20) + 8;  // past those of blocks and embedding
  return std::make_unique<MapReadout>(
      registry,
      MapReadout::Options{.classes = c.classes,
                          .pool = {.width = c.width,
                                   .heads = pool_heads(c),
                                   .hidden = c.pool_mlp_width > 0 ? c.pool_mlp_width : c.mlp_width,
                                   .activation = c.activation,
                                   .prefix = c.pool_prefix,
                                   .dropout_site = kDropoutSite}},
      norm_before(c), norm_of(c));
}

std::unique_ptr<QueryKeyMap> make_qk_norm(const ModelConfig& c, Registry& registry, const std::string& name,
                                          const MixerPlace&) {
  return std::make_unique<QueryKeyNorm>(
      registry, name,
      QueryKeyNorm::Options{.kind = c.norm == "rmsnorm" ? HeadNorm::Kind::rms : HeadNorm::Kind::layer,
                            .heads = c.heads,
                            .head_size = c.head_size(),
                            .eps = c.eps});
}

std::unique_ptr<QueryKeyMap> make_rope(const ModelConfig& c, Registry& registry, const std::string&,
                                       const MixerPlace& place) {
  return std::make_unique<Rope>(registry,
                                Rope::Options{.layout = c.rope,
                                              .heads = c.heads,
                                              .head_size = c.head_size(),
                                              .theta = c.rope_theta,
                                              .reference = c.rope_reference,
                                              .offset = c.rope_offset,
                                              .order = c.rope_order},
                                place);
}

void check_rope(const ModelConfig& c, Faults& faults) {
  if (c.heads < 1) return;  // which is a fault of its own
  faults.check(c.head_size() % 4 == 0, "rope: needs heads of a multiple of 4, has ", c.head_size());
}

std::unique_ptr<Norm> make_rms_norm(const ModelConfig& c, Registry& registry, const std::string& name, int64_t width) {
  return std::make_unique<RmsNorm>(registry, name, width, c.eps);
}

std::unique_ptr<FeedForward> make_swiglu(const ModelConfig& c, Registry& registry, const std::string& name,
                                         int dropout_site) {
  return std::make_unique<SwiGlu>(
      registry, name,
      SwiGlu::Options{
          .width = c.width, .hidden = c.mlp_width, .dropout_site = dropout_site, .norm = norm_where(c.mlp_norm, c)});
}

std::unique_ptr<Readout> make_sequence_readout(const ModelConfig& c, Registry& registry) {
  return std::make_unique<SequenceReadout>(registry, SequenceReadout::Options{.width = c.width, .classes = c.classes},
                                           final_norms(c, FinalNorm::before));
}

ConvTokenizer::Options conv_options(const ModelConfig& c) {
  return {.image_size = c.image_size,
          .channels = c.channels,
          .layers = c.conv_layers,
          .kernel = c.conv_kernel,
          .stride = c.conv_stride,
          .hidden = c.conv_width,
          .width = c.width};
}

void check_convolutions(const ModelConfig& c, Faults& faults) {
  faults.check(c.conv_kernel % 2 == 1, "conv_kernel: needs an odd number, has ", c.conv_kernel);
  faults.check(c.conv_stride < 1 || ConvTokenizer::grid(conv_options(c)).rows >= 2, "image_size ", c.image_size,
               " leaves no grid of tokens behind ", c.conv_layers, " convolutions of stride ", c.conv_stride);
}

std::unique_ptr<Tokenizer> make_conv_tokenizer(const ModelConfig& c, Registry& registry) {
  return std::make_unique<ConvTokenizer>(registry, conv_options(c));
}

std::unique_ptr<AttentionBias> make_relative_bias(const ModelConfig& c, Registry& registry, const std::string& name,
                                                  const MixerPlace& place) {
  return std::make_unique<RelativeBias>(registry, name, place.tokens, c.heads);
}

}  // namespace

// ---- the tables ----

PartTable<TokenizerPart>& tokenizers() {
  static PartTable<TokenizerPart> table(
      "tokenizer",
      {{{"patch", check_patches}, [](const ModelConfig& c) { return c.patch_size; }, patch_grid, make_patch_tokenizer},
       {{"conv", check_convolutions},
        [](const ModelConfig&) { return int64_t{1}; },
        [](const ModelConfig& c) { return ConvTokenizer::grid(conv_options(c)); },
        make_conv_tokenizer}});
  return table;
}

PartTable<PrefixPart>& prefix_tokens() {
  static PartTable<PrefixPart> table(
      "prefix token", {{{"cls_token"}, 1e-6f, [](const ModelConfig& c) { return int64_t{c.class_token}; }},
                       {{"dist_token"}, 0.02f, [](const ModelConfig& c) { return int64_t{c.distilled}; }},
                       {{"reg_token"}, 1e-6f, [](const ModelConfig& c) { return c.registers; }}});
  return table;
}

PartTable<PositionPart>& position_embeddings() {
  static PartTable<PositionPart> table(
      "position",
      {{{"learned"}, {}},
       {{"sincos_1d",
         [](const ModelConfig& c, Faults& faults) { faults.check(c.width % 2 == 0, "sincos_1d needs an even width"); }},
        [](const Tokens&, TensorView<float> rows) { sincos_1d(rows); }},
       {{"sincos_2d", [](const ModelConfig& c,
                         Faults& faults) { faults.check(c.width % 4 == 0, "sincos_2d needs a width divisible by 4"); }},
        [](const Tokens& tokens, TensorView<float> rows) {
          sincos_2d(tokens.rows, tokens.cols, rows.slice(tokens.prefix, tokens.patches()));
        }},
       {{"none"}, [](const Tokens&, TensorView<float>) {}}});
  return table;
}

PartTable<NormPart>& norms() {
  static PartTable<NormPart> table("norm", {{{"layernorm"}, make_layer_norm}, {{"rmsnorm"}, make_rms_norm}});
  return table;
}

PartTable<MixerPart>& mixers() {
  static PartTable<MixerPart> table("mixer", {{{"attention"}, true, make_attention}});
  return table;
}

PartTable<QueryKeyMapPart>& query_key_maps() {
  static PartTable<QueryKeyMapPart> table(
      "query-key map",
      {{{"qk_norm"}, [](const ModelConfig& c) { return c.qk_norm; }, make_qk_norm},
       {{"rope", check_rope}, [](const ModelConfig& c) { return c.rope != RopeLayout::none; }, make_rope}});
  return table;
}

PartTable<AttentionBiasPart>& attention_biases() {
  static PartTable<AttentionBiasPart> table(
      "attention bias",
      {{{"relative_bias"}, [](const ModelConfig& c) { return c.relative_bias; }, make_relative_bias}});
  return table;
}

PartTable<FeedForwardPart>& feed_forwards() {
  static PartTable<FeedForwardPart> table("mlp", {{{"mlp"}, make_mlp}, {{"swiglu"}, make_swiglu}});
  return table;
}

PartTable<StageListPart>& stage_lists() {
  static PartTable<StageListPart> table("stages", {{{"blocks"}, make_blocks}});
  return table;
}

PartTable<ReadoutPart>& readouts() {
  static PartTable<ReadoutPart> table(
      "pooling",
      {{{"token", check_token_readout},
        [](const ModelConfig& c) { return !c.distilled; },
        make_token_readout,
        share_first_tokens},
       {{"avg"}, {}, make_pooled_readout<Pooling::mean>, share_grid},
       {{"seq"}, {}, make_sequence_readout, share_grid},
       {{"map", check_map}, {}, make_map_readout, share_grid},
       {{"token_avg", check_token_mean}, {}, make_token_mean_readout, share_token_and_grid, [](const ModelConfig& c) {
          return (c.readout_layers + 1) * c.width;
        }}});
  return table;
}

// ---- a config's parts ----

namespace {

template <class Row>
void check_row(const ModelConfig& config, const char* field, const PartTable<Row>& table, const std::string& word,
               Faults& faults) {
  const Row* row = table.find(word);
  faults.check(row != nullptr, field, ": needs one of ", word_list(row_words(table.rows())), ", has '", word, "'");
  if (row != nullptr && row->check) row->check(config, faults);
}

template <class Row>
void check_wanted(const ModelConfig& config, const PartTable<Row>& table, Faults& faults) {
  for (const Row& row : table.rows())
    if (row.check && row.wanted(config)) row.check(config, faults);
}

}  // namespace

void check_parts(const ModelConfig& config, Faults& faults) {
  check_row(config, "tokenizer", tokenizers(), config.tokenizer, faults);
  check_row(config, "position", position_embeddings(), config.position, faults);
  check_row(config, "norm", norms(), config.norm, faults);
  check_row(config, "mixer", mixers(), config.mixer, faults);
  check_row(config, "mlp", feed_forwards(), config.mlp, faults);
  check_row(config, "stages", stage_lists(), config.stages, faults);
  check_row(config, "pooling", readouts(), config.pooling, faults);
  faults.check(!config.distilled || config.pooling == "token", "distilled: needs pooling token, has ", config.pooling);
  check_wanted(config, query_key_maps(), faults);
  check_wanted(config, attention_biases(), faults);
}

MakeNorm norm_of(const ModelConfig& config) {
  const NormPart& part = norms().at(config.norm);
  return [&part, config](Registry& registry, const std::string& name, int64_t width) {
    return part.make(config, registry, name, width);
  };
}

std::unique_ptr<Embedding> make_embedding(const ModelConfig& config, Registry& registry) {
  Embedding::Options options{.tokens = config.tokens(),
                             .width = config.width,
                             .position = position_embeddings().at(config.position).fill,
                             .position_on_prefix = config.prefix_position,
                             .norm = norm_where(config.pre_norm, config)};
  for (const PrefixPart& part : prefix_tokens().rows())
    if (const int64_t count = part.count(config); count > 0)
      options.prefix.push_back({part.word, count, part.deviation});
  return std::make_unique<Embedding>(
      registry, options, [&](Registry& own) { return tokenizers().at(config.tokenizer).make(config, own); });
}

int64_t ModelConfig::input_patch() const { return tokenizers().at(tokenizer).input_patch(*this); }

int64_t ModelConfig::patches() const {
  const int64_t side = image_size / input_patch();
  return side * side;
}

int64_t ModelConfig::patch_dim() const { return channels * input_patch() * input_patch(); }

int64_t ModelConfig::feature_width() const {
  const auto& of_readout = readouts().at(pooling).feature_width;
  return of_readout ? of_readout(*this) : width;
}

Tokens ModelConfig::tokens() const {
  Tokens tokens = tokenizers().at(tokenizer).grid(*this);
  for (const PrefixPart& part : prefix_tokens().rows()) tokens.prefix += part.count(*this);
  return tokens;
}

}  // namespace vit
