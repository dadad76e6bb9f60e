// ViT of transformers, and what has its names: ViT-MSN, DINO's first models, ViT-MAE's encoder, I-JEPA.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-vit";
constexpr std::string_view kProjection = "embeddings.patch_embeddings.projection.weight";
constexpr std::array<std::string_view, 3> kPrefixes{"vit.", "ijepa.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  return hf_vit_renaming(checkpoint, kProjection, kPrefixes);
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

void drop_others(const Checkpoint& checkpoint, const Renaming& file, Recognised& found) {
  drop(checkpoint, file("vit.embeddings.mask_token"), "only pretraining masks patches", found);
  drop(checkpoint, file("vit.pooler.") + "*", "no classifier reads it: the features are the normed class token", found);
  drop(checkpoint, "decoder.*", "only pretraining makes pictures", found);
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_hf_vit(checkpoint, *file, found);
  m.class_token = checkpoint.has((*file)("vit.embeddings.cls_token"));
  if (!m.class_token) {  // I-JEPA
    m.pooling = "avg";
    m.final_norm = FinalNorm::before;
  }
  m.classes = checkpoint.has("classifier.weight") ? checkpoint.shape("classifier.weight", 2)[0] : 0;
  const int64_t side = read_grid(checkpoint, (*file)("vit.embeddings.position_embeddings"), 3, m.class_token ? 1 : 0,
                                 checkpoint.config, m);
  found.rules = rules_by_names(kWord, m, hf_vit_rows());
  file->apply(found.rules);
  set_image_size(options, side, kPlainBicubic, found);
  drop_others(checkpoint, *file, found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) { return rules_by_names(kWord, config, hf_vit_rows()); }

}  // namespace

Family hf_vit_family() {
  return {.word = std::string(kWord),
          .help = "ViT, ViT-MSN, DINO and I-JEPA of transformers",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
