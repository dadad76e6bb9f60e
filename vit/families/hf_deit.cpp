// DeiT of transformers with a distillation token: two heads, or one that reads the class token alone.
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/families/hub_names.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

constexpr std::string_view kWord = "hf-deit";
constexpr std::array<std::string_view, 2> kPrefixes{"deit.", ""};

std::optional<Renaming> renaming(const Checkpoint& checkpoint) {
  return hf_vit_renaming(checkpoint, "embeddings.distillation_token", kPrefixes);
}

bool matches(const Checkpoint& checkpoint) { return renaming(checkpoint).has_value(); }

/// With one head the distillation token is a token like a register: seen by the others and read by nobody.
std::vector<NameRow> rows(bool two_heads) {
  std::vector<NameRow> all{{two_heads ? "dist_token" : "reg_token", {"vit.embeddings.distillation_token"}}};
  if (two_heads)
    all.insert(all.end(), {{"head.weight", {"cls_classifier.weight"}},
                           {"head.bias", {"cls_classifier.bias"}},
                           {"head_dist.weight", {"distillation_classifier.weight"}},
                           {"head_dist.bias", {"distillation_classifier.bias"}}});
  const std::vector<NameRow> common = hf_vit_rows();
  all.insert(all.end(), common.begin(), common.end());
  return all;
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const std::optional<Renaming> file = renaming(checkpoint);
  if (!file) fail(ErrorKind::data, "[import] ", checkpoint.tensors.path().string(), " has no names of ", kWord);
  Recognised found;
  ModelConfig& m = found.config;
  m.name = kWord;
  read_hf_vit(checkpoint, *file, found);
  m.distilled = checkpoint.has("distillation_classifier.weight");
  m.registers = m.distilled ? 0 : 1;
  const std::string head = m.distilled ? "cls_classifier.weight" : "classifier.weight";
  m.classes = checkpoint.has(head) ? checkpoint.shape(head, 2)[0] : 0;
  const int64_t side = read_grid(checkpoint, (*file)("vit.embeddings.position_embeddings"), 3, 2, checkpoint.config, m);
  found.rules = rules_by_names(kWord, m, rows(m.distilled));
  file->apply(found.rules);
  set_image_size(options, side, kPlainBicubic, found);
  drop(checkpoint, (*file)("vit.embeddings.mask_token"), "only pretraining masks patches", found);
  drop(checkpoint, (*file)("vit.pooler.") + "*", "no classifier reads it: the features are the normed class token",
       found);
  drop(checkpoint, "decoder.*", "only pretraining makes pictures", found);
  return found;
}

std::vector<Rule> rules(const ModelConfig& config) {
  if (!config.distilled && config.registers != 1)
    fail(ErrorKind::usage, "[", kWord, "] needs a distillation token, the model ", config.name, " has none");
  std::vector<Rule> all = rules_by_names(kWord, config, rows(config.distilled));
  Renaming file;
  file.add("vit.", "deit.");
  file.apply(all);
  return all;
}

}  // namespace

Family hf_deit_family() {
  return {.word = std::string(kWord),
          .help = "DeiT of transformers with a distillation token",
          .matches = matches,
          .read = read,
          .rules = rules};
}

}  // namespace vit
