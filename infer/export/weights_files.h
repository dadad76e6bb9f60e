// What a schema of names makes of a model: rules for its weights, and the files that lie beside them.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/config.h"
#include "vit/core/faults.h"
#include "vit/families/family.h"
#include "vit/model/model_file.h"

namespace vit {

struct WeightsFiles {
  std::vector<Rule> rules;
  nlohmann::ordered_json config;        // config.json
  nlohmann::ordered_json preprocessor;  // preprocessor_config.json; null where config.json holds it
  std::vector<std::string> notes;
};

// Each throws Error (usage) that names the fields of the config which the schema cannot express.

/// For `timm.create_model("local-dir:...")`: VisionTransformer, its distilled form, or Eva where there are rotary
/// positions; an architecture of the class, and arguments that make it this model.
WeightsFiles timm_files(const Model& model);
/// For transformers' from_pretrained: ViTForImageClassification, DeiT..., Dinov2... by what the model has.
WeightsFiles hf_files(const Model& model);
/// The state dict of torchvision.models.VisionTransformer; config.json has its arguments, and as torchvision has no
/// words for them preprocessing and labels in those of timm.
WeightsFiles torchvision_files(const Model& model);

// Preprocessing in the words of the schema. Each throws Error (usage) for what it has no words for.

/// Into config.pretrained_cfg, which is there.
void add_timm_preprocess(const PreprocessConfig& preprocess, WeightsFiles& files);
/// preprocessor_config.json of the class that expresses it.
void add_hf_preprocess(const PreprocessConfig& preprocess, WeightsFiles& files);

// ---- what schemas are written with ----

/// Adds the faults of a part that none of the published classes have.
void check_published_parts(const ModelConfig& config, Faults& faults);
/// Adds a fault for each field of `names` whose value is not that of a plain ViT.
void check_plain(const ModelConfig& config, std::span<const std::string_view> names, Faults& faults);
inline void check_plain(const ModelConfig& config, std::initializer_list<std::string_view> names, Faults& faults) {
  check_plain(config, std::span(names.begin(), names.size()), faults);
}
/// mlp_ratio so that int(width * ratio) is `hidden`.
double mlp_ratio(int64_t width, int64_t hidden);
/// timm's pretrained_cfg, as far as it says nothing of preprocessing.
nlohmann::ordered_json timm_pretrained_cfg(const Model& model);
/// A text of model.origin; empty where there is none.
std::string origin_text(const Model& model, const char* field);

}  // namespace vit
