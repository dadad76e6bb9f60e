// The image tower of SigLIP and SigLIP 2 (of fixed size) in transformers: with its attention pooling, or with a
// classifier that reads the mean.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-siglip";
constexpr std::array<std::string_view, 2> kPrefixes{"vision_model.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  const std::string_view* prefix = prefix_of(checkpoint, "embeddings.patch_embedding.bias", kPrefixes);
  if (prefix == nullptr || !checkpoint.has(concat(*prefix, "post_layernorm.weight")) ||
      checkpoint.has(concat(*prefix, "pre_layrnorm.weight")))
    return std::nullopt;
  Renaming file;
  file.add("vision_model.", *prefix);
  return file;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

std::vector<NameRow> rows() {
  std::vector<NameRow> all = hf_tower_rows();
  all.insert(all.end(), {{"attn_pool.latent", {"vision_model.head.probe"}},
                         {"attn_pool.proj.weight", {"vision_model.head.attention.out_proj.weight"}},
                         {"attn_pool.proj.bias", {"vision_model.head.attention.out_proj.bias"}},
                         {"attn_pool.norm.weight", {"vision_model.head.layernorm.weight"}},
                         {"attn_pool.norm.bias", {"vision_model.head.layernorm.bias"}},
                         {"attn_pool.mlp.fc1.weight", {"vision_model.head.mlp.fc1.weight"}},
                         {"attn_pool.mlp.fc1.bias", {"vision_model.head.mlp.fc1.bias"}},
                         {"attn_pool.mlp.fc2.weight", {"vision_model.head.mlp.fc2.weight"}},
                         {"attn_pool.mlp.fc2.bias", {"vision_model.head.mlp.fc2.bias"}},
                         // q, k and v of the pooling are one tensor: the pieces are told apart below
                         {"attn_pool.q.weight", {"vision_model.head.attention.in_proj_weight"}},
                         {"attn_pool.q.bias", {"vision_model.head.attention.in_proj_bias"}},
                         {"attn_pool.kv.weight", {"vision_model.head.attention.in_proj_weight"}},
                         {"attn_pool.kv.bias", {"vision_model.head.attention.in_proj_bias"}},
                         {"head.weight", {"classifier.weight"}},
                         {"head.bias", {"classifier.bias"}}});
  return all;
}

std::vector<Rule> rules_of(const ModelConfig& config) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows());
  without_ones("pos_embed", 1, all);
  for (Rule& rule : all) {
    const bool query = rule.ours.starts_with("attn_pool.q.");
    if (!query && !rule.ours.starts_with("attn_pool.kv.")) continue;
    Piece& piece = rule.pieces.front();
    piece.shape[0] = 3 * config.width;
    piece.first = query ? 0 : config.width;
    piece.rows = query ? config.width : 2 * config.width;
  }
  return all;
}

void read_head(const Checkpoint& checkpoint, const Renaming& file, Recognised& found) {
  ModelConfig& m = found.config;
  m.classes = 0;
  if (checkpoint.has("classifier.weight")) {
    m.classes = checkpoint.shape("classifier.weight", 2)[0];
    drop(checkpoint, file("vision_model.head.") + "*", "the classifier reads the mean of the tokens", found);
  } else if (checkpoint.has(file("vision_model.head.probe"))) {
    m.pooling = "map";
    found.notes.push_back(
        "the features are the image embedding; classes from texts would need the text tower, which is not run");
    return;
  }
  m.pooling = "avg";
  m.final_norm = FinalNorm::before;
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  const std::string projection = (*file)("vision_model.embeddings.patch_embedding.weight");
  if (const TensorEntry* entry = find_tensor(checkpoint.tensors, projection); entry && entry->shape.size() == 2)
    fail(ErrorKind::data, "[import] ", projection, " in ", checkpoint.tensors.path().string(),
         " has two dimensions: SigLIP 2 of pictures of any shape (naflex); only those of a fixed size are known");
  const nlohmann::json config = config_of_tower(checkpoint.config);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_hf_tower(checkpoint, config, *file, {.activation = "gelu_pytorch_tanh", .eps = 1e-6}, m);
  m.class_token = false;
  read_head(checkpoint, *file, found);
  const int64_t side =
      read_grid(checkpoint, (*file)("vision_model.embeddings.position_embedding.weight"), 2, 0, config, m);
  found.rules = rules_of(m);
  file->apply(found.rules);
  set_image_size(options, side, kPlainBicubic, found);
  drop_text_tower(checkpoint, *file, found);
  assume(config, concat("no config.json: ", m.heads, " heads, gelu_tanh, eps 1e-6"), found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  const bool map = config.pooling == "map" && config.classes == 0;
  const bool mean = config.pooling == "avg" && config.final_norm == FinalNorm::before;
  if (config.class_token || !(map || mean))
    fail(ErrorKind::usage, "[", kWord,
         "] needs no class_token, and pooling map without classes, or avg behind the norm; ", "the model ", config.name,
         " is another");
  return rules_of(config);
}

}  // namespace

Family hf_siglip_family() {
  return {.word = std::string(kWord),
          .help = "the image tower of SigLIP in transformers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
