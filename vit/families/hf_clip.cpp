// The image tower of CLIP in transformers: alone, with its projection, with a classifier, or beside the text tower.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-clip";
constexpr std::array<std::string_view, 2> kPrefixes{"vision_model.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  const std::string_view* prefix = prefix_of(checkpoint, "embeddings.class_embedding", kPrefixes);
  if (prefix == nullptr || !checkpoint.has(concat(*prefix, "pre_layrnorm.weight"))) return std::nullopt;
  Renaming file;
  file.add("vision_model.", *prefix);
  return file;
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

enum class Head { none, projection, classifier };

std::vector<NameRow> rows(Head head) {
  std::vector<NameRow> all = hf_tower_rows();
  all.insert(all.end(), {{"cls_token", {"vision_model.embeddings.class_embedding"}},
                         {"norm_pre.weight", {"vision_model.pre_layrnorm.weight"}},
                         {"norm_pre.bias", {"vision_model.pre_layrnorm.bias"}}});
  if (head == Head::classifier)
    all.insert(all.end(), {{"head.weight", {"classifier.weight"}}, {"head.bias", {"classifier.bias"}}});
  else
    all.insert(all.end(), {{"head.weight", {"visual_projection.weight"}}, {"head.bias", {kZeros}}});
  return all;
}

std::vector<Rule> rules_of(const ModelConfig& config, Head head) {
  std::vector<Rule> all = rules_by_names(kWord, config, rows(head));
  without_ones("cls_token", 2, all);
  without_ones("pos_embed", 1, all);
  return all;
}

void read_head(const Checkpoint& checkpoint, const Renaming& file, Head head, Recognised& found) {
  ModelConfig& m = found.config;
  m.classes = 0;
  if (head == Head::projection) {
    m.classes = checkpoint.shape("visual_projection.weight", 2)[0];
    found.notes.push_back(concat("the ", m.classes, " outputs are the image embedding and no classes; classes from ",
                                 "texts would need the text tower, which is not run"));
  } else if (head == Head::classifier) {
    m.classes = checkpoint.shape("classifier.weight", 2)[0];
    m.pooling = "avg";
    m.final_norm = FinalNorm::none;
    drop(checkpoint, file("vision_model.post_layernorm.") + "*", "the classifier reads the mean of what lies before it",
         found);
  }
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  const nlohmann::json config = config_of_tower(checkpoint.config);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_hf_tower(checkpoint, config, *file, {.activation = "quick_gelu", .eps = 1e-5}, m);
  m.pre_norm = true;
  m.patch_bias = checkpoint.has((*file)("vision_model.embeddings.patch_embedding.bias"));
  const Head head = checkpoint.has("classifier.weight")          ? Head::classifier
                    : checkpoint.has("visual_projection.weight") ? Head::projection
                                                                 : Head::none;
  read_head(checkpoint, *file, head, found);
  const int64_t side =
      read_grid(checkpoint, (*file)("vision_model.embeddings.position_embedding.weight"), 2, 1, config, m);
  found.rules = rules_of(m, head);
  file->apply(found.rules);
  set_image_size(options, side, kPlainBicubic, found);
  drop_text_tower(checkpoint, *file, found);
  assume(config, concat("no config.json: ", m.heads, " heads, quick_gelu, eps 1e-5"), found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  const bool classifier = config.pooling == "avg" && config.final_norm == FinalNorm::none;
  if (config.patch_bias || !config.pre_norm || (config.pooling != "token" && !classifier))
    fail(ErrorKind::usage, "[", kWord,
         "] needs pre_norm, no patch_bias, and pooling token or avg without a last norm; ", "the model ", config.name,
         " is another");
  return rules_of(config, classifier ? Head::classifier : Head::projection);
}

}  // namespace

Family hf_clip_family() {
  return {.word = std::string(kWord),
          .help = "the image tower of CLIP in transformers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
