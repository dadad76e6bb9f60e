// The image tower of OpenAI's CLIP and of open_clip in their own names, with its projection. Radford et al.,
// arXiv:2103.00020. Towers that open_clip takes from timm ("visual.trunk.") are read as timm's.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "clip";
constexpr std::string_view kToken = "class_embedding";
constexpr std::array<std::string_view, 2> kPrefixes{"visual.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  const std::string_view* prefix = prefix_of(checkpoint, kToken, kPrefixes);
  if (prefix == nullptr || !checkpoint.has(concat(*prefix, "conv1.weight"))) return std::nullopt;
  Renaming file;
  file.add("visual.", *prefix);
  return file;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

const std::vector<NameRow>& rows() {
  static const std::vector<NameRow> all{
      {"cls_token", {"visual.class_embedding"}},
      {"pos_embed", {"visual.positional_embedding"}},
      {"patch_embed.proj.weight", {"visual.conv1.weight"}},
      {"norm_pre.weight", {"visual.ln_pre.weight"}},
      {"norm_pre.bias", {"visual.ln_pre.bias"}},
      {"blocks.{}.norm1.weight", {"visual.transformer.resblocks.{}.ln_1.weight"}},
      {"blocks.{}.norm1.bias", {"visual.transformer.resblocks.{}.ln_1.bias"}},
      {"blocks.{}.attn.qkv.weight", {"visual.transformer.resblocks.{}.attn.in_proj_weight"}},
      {"blocks.{}.attn.qkv.bias", {"visual.transformer.resblocks.{}.attn.in_proj_bias"}},
      {"blocks.{}.attn.proj.weight", {"visual.transformer.resblocks.{}.attn.out_proj.weight"}},
      {"blocks.{}.attn.proj.bias", {"visual.transformer.resblocks.{}.attn.out_proj.bias"}},
      {"blocks.{}.ls1.gamma", {"visual.transformer.resblocks.{}.ls_1.gamma"}},
      {"blocks.{}.norm2.weight", {"visual.transformer.resblocks.{}.ln_2.weight"}},
      {"blocks.{}.norm2.bias", {"visual.transformer.resblocks.{}.ln_2.bias"}},
      {"blocks.{}.mlp.fc1.weight", {"visual.transformer.resblocks.{}.mlp.c_fc.weight"}},
      {"blocks.{}.mlp.fc1.bias", {"visual.transformer.resblocks.{}.mlp.c_fc.bias"}},
      {"blocks.{}.mlp.fc2.weight", {"visual.transformer.resblocks.{}.mlp.c_proj.weight"}},
      {"blocks.{}.mlp.fc2.bias", {"visual.transformer.resblocks.{}.mlp.c_proj.bias"}},
      {"blocks.{}.ls2.gamma", {"visual.transformer.resblocks.{}.ls_2.gamma"}},
      {"norm.weight", {"visual.ln_post.weight"}},
      {"norm.bias", {"visual.ln_post.bias"}},
      {"fc_norm.weight", {"visual.ln_post.weight"}},
      {"fc_norm.bias", {"visual.ln_post.bias"}},
      {"head.weight", {"visual.proj"}, {1, 0}},
      {"head.bias", {kZeros}},
  };
  return all;
}

std::vector<Rule> rules_of(const ModelConfig& config) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows());
  without_ones("cls_token", 2, all);
  without_ones("pos_embed", 1, all);
  return all;
}

/// model_cfg of open_clip_config.json; null where the config is none of open_clip's.
const nlohmann::json& model_config(const nlohmann::json& config) {
  const nlohmann::json& inner = config_object(config, "model_cfg");
  const nlohmann::json& model = inner.is_null() ? config : inner;
  return config_object(model, "vision_cfg").is_null() ? inner : model;
}

void read_shapes(const Checkpoint& checkpoint, const Renaming& file, ModelConfig& m) {
  read_patch_projection(checkpoint, file("visual.conv1.weight"), m);
  m.depth = checkpoint.count(file("visual.transformer.resblocks.{}.ln_1.weight"));
  m.mlp_width = checkpoint.shape(file("visual.transformer.resblocks.0.mlp.c_fc.weight"), 2)[0];
  m.patch_bias = false;
  m.pre_norm = checkpoint.has(file("visual.ln_pre.weight"));
  m.layer_scale = checkpoint.has(file("visual.transformer.resblocks.0.ls_1.gamma"));
  const std::string projection = file("visual.proj");
  m.classes = checkpoint.has(projection) ? checkpoint.shape(projection, 2)[1] : 0;
}

Activation read_activation(const nlohmann::json& model, const nlohmann::json& tower) {
  if (config_flag(model, "quick_gelu", false)) return Activation::quick_gelu;
  const std::string form = config_text(config_object(tower, "act_kwargs"), "approximate", "none");
  if (form != "none" && form != "tanh")
    fail(ErrorKind::data, "[config.json] act_kwargs.approximate: needs none or tanh, has ",
         json_text(nlohmann::json(form)));
  return form == "tanh" ? Activation::gelu_tanh : Activation::gelu_erf;
}

void read_pooling(const nlohmann::json& tower, ModelConfig& m) {
  const std::string pool = config_text(tower, "pool_type", "tok");
  if (pool != "tok" && pool != "avg")
    fail(ErrorKind::data, "[config.json] pool_type: needs tok or avg, has ", json_text(nlohmann::json(pool)));
  m.pooling = pool == "tok" ? "token" : "avg";
  const bool after = config_flag(tower, "final_ln_after_pool", false);
  if (m.pooling == "avg" && !after) m.final_norm = FinalNorm::before;  // behind one token it is the same
}

void read_open_clip(const nlohmann::json& model, ModelConfig& m) {
  const nlohmann::json& tower = config_object(model, "vision_cfg");
  check_config(tower, "width", m.width);
  check_config(tower, "layers", m.depth);
  check_patch_size(tower, m.patch_size);
  if (m.classes > 0) check_config(model, "embed_dim", m.classes);
  const int64_t head = config_integer(tower, "head_width", 64);
  if (head < 1 || m.width % head != 0)
    fail(ErrorKind::data, "[config.json] head_width: needs a divisor of the width ", m.width, ", has ", head);
  m.heads = m.width / head;
  m.eps = config_eps(config_object(tower, "norm_kwargs"), "eps", 1e-5);
  m.activation = read_activation(model, tower);
  read_pooling(tower, m);
  if (tower.contains("attentional_pool") && tower["attentional_pool"] != false)
    fail(ErrorKind::data, "[config.json] attentional_pool: this pooling is not known here");
}

void drop_others(const Checkpoint& checkpoint, Recognised& found) {
  for (const char* name : {"transformer.*", "token_embedding.*", "positional_embedding", "ln_final.*",
                           "text_projection*", "text.*", "text_decoder.*", "attn_mask"})
    drop(checkpoint, name, "of the text tower, which is not run", found);
  for (const char* name : {"logit_scale", "logit_bias"})
    drop(checkpoint, name, "only comparing pictures with texts reads it", found);
  for (const char* name : {"input_resolution", "context_length", "vocab_size"})
    drop(checkpoint, name, "a size, which the tensors show", found);
}

void note_embedding(Recognised& found) {
  if (found.config.classes > 0)
    found.notes.push_back(concat("the ", found.config.classes,
                                 " outputs are the image embedding and no classes; classes ",
                                 "from texts would need the text tower, which is not run"));
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  const nlohmann::json& model = model_config(checkpoint.config);
  const nlohmann::json& tower = config_object(model, "vision_cfg");
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_shapes(checkpoint, *file, m);
  m.eps = 1e-5f;
  m.heads = config_heads(nullptr, "head_width", m.width, 0);
  m.activation = Activation::quick_gelu;
  if (!model.is_null()) read_open_clip(model, m);
  assume(model,
         concat("no open_clip_config.json: ", m.heads, " heads, eps 1e-5 and quick_gelu as OpenAI's models have; ",
                "many of open_clip's have gelu"),
         found);
  const int64_t side = read_grid(checkpoint, (*file)("visual.positional_embedding"), 2, 1, tower, m);
  found.rules = rules_of(m);
  file->apply(found.rules);
  set_image_size(options, side, {}, found);
  if (!(*file)("visual.").empty()) drop_others(checkpoint, found);
  note_embedding(found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (config.patch_bias || !config.class_token)
    fail(ErrorKind::usage, "[", kWord, "] needs class_token and no patch_bias; the model ", config.name, " is another");
  return rules_of(config);
}

// ---- towers of timm ----

constexpr std::string_view kTrunk = "visual.trunk.";
constexpr std::string_view kTrunkWord = "open-clip-timm";

/// The tensors of the trunk, as timm names them.
class Trunk final : public TensorFile {
 public:
  explicit Trunk(const TensorFile& file) : file_(file) {
    for (const TensorEntry& entry : file.entries())
      if (entry.name.starts_with(kTrunk)) {
        entries_.push_back(entry);
        entries_.back().name = entry.name.substr(kTrunk.size());
      }
  }
  const std::filesystem::path& path() const override { return file_.path(); }
  const std::vector<TensorEntry>& entries() const override { return entries_; }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }
  void read(const TensorEntry& entry, std::span<float> values) const override {
    file_.read(*find_tensor(file_, concat(kTrunk, entry.name)), values);
  }

 private:
  const TensorFile& file_;
  std::vector<TensorEntry> entries_;
};

bool trunk_matches(const Checkpoint& checkpoint) { return checkpoint.has(concat(kTrunk, "patch_embed.proj.weight")); }

/// As timm's own config.json would say it.
nlohmann::json timm_config(const nlohmann::json& tower) {
  nlohmann::json config = nullptr;
  const std::string name = config_text(tower, "timm_model_name", "");
  if (name.empty()) return config;
  config = {{"architecture", name}};
  if (const std::string pool = config_text(tower, "timm_pool", ""); !pool.empty()) config["global_pool"] = pool;
  return config;
}

/// What open_clip puts behind the trunk.
void read_trunk_head(const Checkpoint& checkpoint, Recognised& found) {
  const std::string weight = "visual.head.proj.weight", bias = "visual.head.proj.bias";
  if (checkpoint.has("visual.head.mlp.fc1.weight"))
    fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(),
         " projects with a feed-forward (visual.head.mlp), which is not known here");
  if (!checkpoint.has(weight)) return;
  if (found.config.classes > 0)
    fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has two heads: of the trunk, and ",
         weight);
  const int64_t width = checkpoint.shape(weight, 2)[1], classes = checkpoint.shape(weight, 2)[0];
  found.config.classes = classes;
  found.rules.push_back({.ours = "head.weight", .pieces = {{.name = weight, .shape = {classes, width}}}});
  found.rules.push_back(
      {.ours = "head.bias", .pieces = {{.name = checkpoint.has(bias) ? bias : "", .shape = {classes}}}});
}

Recognised read_trunk(const Checkpoint& checkpoint, const ImportOptions& options) {
  const nlohmann::json& model = model_config(checkpoint.config);
  const Trunk trunk(checkpoint.tensors);
  const Checkpoint inner{trunk, timm_config(config_object(model, "vision_cfg"))};
  Recognised found = recognise(inner).read(inner, options);
  for (Rule& rule : found.rules)
    for (Piece& piece : rule.pieces)
      if (!piece.name.empty()) piece.name.insert(0, kTrunk);
  for (Dropped& dropped : found.dropped) dropped.name.insert(0, kTrunk);
  read_trunk_head(checkpoint, found);
  drop_others(checkpoint, found);
  note_embedding(found);
  return found;
}

}  // namespace

Family clip_family() {
  return {.word = std::string(kWord),
          .help = "CLIP's image tower in the names of OpenAI and open_clip",
          .matches = matches,
          .read = read,
          .rules = rules};
}

Family open_clip_timm_family() {
  return {.word = std::string(kTrunkWord),
          .help = "image towers of timm within open_clip",
          .matches = trunk_matches,
          .read = read_trunk,
          .rules = nullptr};
}

}  // namespace vit
