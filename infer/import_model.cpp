#include "infer/import_model.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "infer/labels.h"
#include "preprocess/config.h"
#include "preprocess/published.h"
#include "vit/core/error.h"
#include "vit/core/json_strict.h"
#include "vit/core/text.h"
#include "vit/core/word_rows.h"
#include "vit/families/import_weights.h"
#include "vit/io/atomic_file.h"
#include "vit/io/tensor_file.h"

namespace vit {
namespace {

constexpr int64_t kMostJsonBytes = int64_t{1} << 24;  // label lists are some MB

/// The preprocessing of a family whose files say nothing of it.
struct UsualRule {
  std::string_view family, rule;
};
constexpr std::array kUsualRules{
    UsualRule{"google", "timm-inception"},
    UsualRule{"dinov2", "dinov2"},
    UsualRule{"dinov3", "dinov3"},
    UsualRule{"timm-eva", "timm"},
    UsualRule{"timm", "timm"},
    UsualRule{"hf-vit", "hf-vit"},
    UsualRule{"hf-deit", "hf-deit"},
    UsualRule{"hf-dinov2", "hf-dinov2"},
    UsualRule{"hf-dinov3", "dinov3"},
    UsualRule{"hf-clip", "hf-clip"},
    UsualRule{"hf-siglip", "siglip"},
    UsualRule{"hf-aimv2", "aimv2"},
    UsualRule{"clip", "clip"},
    UsualRule{"open-clip-timm", "clip"},
};

/// torchvision's weights differ by their sizes.
std::string_view torchvision_rule(const ModelConfig& c) {
  if (c.image_size != 224) return "torchvision-swag";
  if (c.width == 1280) return "torchvision-swag-linear";
  if (c.width == 1024) return c.patch_size == 16 ? "torchvision-vit-l16" : "torchvision-vit-l32";
  return c.patch_size == 32 ? "torchvision-vit-b32" : "torchvision-vit-b16";
}

std::string_view usual_rule(std::string_view family, const ModelConfig& config) {
  if (family == "torchvision") return torchvision_rule(config);
  if (family == "google" && config.image_size == 384) return "timm-inception-384";
  const auto row = std::ranges::find(kUsualRules, family, &UsualRule::family);
  return row == kUsualRules.end() ? "timm" : row->rule;
}

/// A JSON file; null where there is no file.
nlohmann::json read_json(const std::filesystem::path& path) {
  std::error_code none;
  if (path.empty() || !std::filesystem::exists(path, none)) return {};
  return parse_strict_json(read_file(path, kMostJsonBytes), path.filename().string(), path.string());
}

/// What lies beside the weights.
struct Folder {
  std::filesystem::path path;  // empty where a file was named
  std::filesystem::path config_path;
  nlohmann::json config;

  /// Null where it is not there.
  nlohmann::json json(const char* name) const { return path.empty() ? nlohmann::json() : read_json(path / name); }
};

Folder open_folder(const std::filesystem::path& source, const ImportModelOptions& options) {
  Folder folder;
  if (std::filesystem::is_directory(source)) folder.path = source;
  folder.config_path = options.config;
  if (!options.config.empty() && !std::filesystem::exists(options.config))
    fail(ErrorKind::io, "[import] there is no ", options.config.string());
  for (const char* name : {"config.json", "open_clip_config.json"})
    if (folder.config_path.empty() && !folder.path.empty() && std::filesystem::exists(folder.path / name))
      folder.config_path = folder.path / name;
  folder.config = read_json(folder.config_path);
  if (!folder.config.is_null() && !folder.config.is_object())
    fail(ErrorKind::data, "[import] ", folder.config_path.string(), " needs a JSON object, has ",
         folder.config.type_name());
  return folder;
}

struct ChosenRule {
  PublishedRule rule;
  std::string origin;
};

/// What transformers makes pictures into pixels by: the part of a processor comes first, as it does there.
struct ProcessorFile {
  const char* name = nullptr;
  nlohmann::json json;  // null where there is none
};

ProcessorFile processor_file(const Folder& folder) {
  const char* whole = "processor_config.json";
  if (nlohmann::json json = folder.json(whole); json.is_object() && json.contains("image_processor"))
    return {whole, std::move(json)};
  const char* own = "preprocessor_config.json";
  return {own, folder.json(own)};
}

/// What lies beside the weights; none where nothing does. `side` 0: the rule's own.
std::optional<ChosenRule> rule_of_folder(const Folder& folder, int64_t side) {
  if (const ProcessorFile file = processor_file(folder); !file.json.is_null()) {
    const std::string type = config_text(folder.config, "model_type", "");
    return ChosenRule{
        published_preprocess(file.json, (folder.path / file.name).string(), side, transformers_processor(type)),
        file.name};
  }
  for (const char* field : {"pretrained_cfg", "preprocess_cfg", "input_size"})
    if (folder.config.is_object() && folder.config.contains(field))
      return ChosenRule{published_preprocess(folder.config, folder.config_path.string(), side),
                        folder.config_path.filename().string()};
  return std::nullopt;
}

/// Patches that do not fill the pictures see nothing of their right and lower edge (SigLIP's 27 of 14 pixels in 384).
void trim_edges(int64_t side, PublishedRule& rule) {
  PreprocessConfig& config = rule.config;
  config.trim = config.size - side;
  config.size = side;
  rule.notes.push_back(
      concat("pictures of ", side + config.trim, " pixels are cut to ", side, ", which whole patches see"));
}

/// The named rule, else what lies beside the weights, else the family's; for the pictures that the model takes.
ChosenRule choose_preprocess(const Folder& folder, const ImportModelOptions& options, const ModelConfig& model,
                             std::string_view family) {
  const int64_t side = model.image_size;
  if (!options.preprocess.empty())
    return {{published_rule(options.preprocess, side), {}}, concat("rule ", options.preprocess)};
  if (std::optional<ChosenRule> rule = rule_of_folder(folder, 0)) {
    const int64_t rest = rule->rule.config.size - side;
    if (rest > 0 && rest < model.patch_size && options.image_size == 0)
      trim_edges(side, rule->rule);
    else if (rest != 0)
      rule = rule_of_folder(folder, side);
    return std::move(*rule);
  }
  const std::string rule(usual_rule(family, model));
  return {{published_rule(rule, side), {}}, concat("rule ", rule, ", assumed of the family (--preprocess)")};
}

/// Models of transformers resize their positions to the pictures that their processor makes (DINOv2: 518 to 224).
int64_t picture_size(const Folder& folder, const ImportModelOptions& options) {
  if (options.image_size > 0 || !options.preprocess.empty()) return 0;
  return processor_file(folder).json.is_null() ? 0 : rule_of_folder(folder, 0)->rule.config.size;
}

/// What weights of others must say wherever they go.
nlohmann::json origin_of(const std::filesystem::path& source, const Folder& folder, const ImportModelOptions& options,
                         std::string_view family) {
  nlohmann::json pretrained;
  if (folder.config.is_object() && folder.config.contains("pretrained_cfg"))
    pretrained = folder.config["pretrained_cfg"];
  std::string from = options.source, licence = options.licence;
  if (from.empty()) from = config_text(pretrained, "hf_hub_id", config_text(folder.config, "_name_or_path", ""));
  if (from.empty()) from = config_text(pretrained, "origin_url", config_text(folder.config, "source", ""));
  if (from.empty()) from = std::filesystem::weakly_canonical(source).filename().string();
  if (licence.empty()) licence = config_text(pretrained, "license", config_text(folder.config, "license", ""));
  const bool dinov3 = family.find("dinov3") != std::string_view::npos ||
                      config_text(folder.config, "architecture", "").find("dinov3") != std::string::npos;
  if (licence.empty() && dinov3) licence = "DINOv3 License";  // which has to come along
  nlohmann::json origin{{"source", printable(from)}, {"family", family}};
  if (!licence.empty()) origin["licence"] = printable(licence);
  return origin;
}

std::shared_ptr<const TensorFile> open_weights(const std::filesystem::path& source, const ImportModelOptions& options) {
  std::shared_ptr<const TensorFile> head;
  if (!options.head.empty()) head = open_tensor_file(options.head);
  return unwrapped(open_tensor_file(source), std::move(head));
}

}  // namespace

ImportedModel import_model(const std::filesystem::path& source, const ImportModelOptions& options) {
  const Folder folder = open_folder(source, options);
  ImportedWeights weights = import_weights(open_weights(source, options), folder.config,
                                           {.image_size = options.image_size,
                                            .picture_size = picture_size(folder, options),
                                            .new_classes = options.new_classes},
                                           options.family);
  ImportedModel imported{.open = std::move(weights.open), .report = {}};
  Model& model = imported.open.model;
  ImportReport& report = imported.report;
  report.family = weights.family->word;
  report.parameters = weights.parameters;
  report.assumed = std::move(weights.assumed);
  report.notes = std::move(weights.notes);
  for (Dropped& dropped : weights.dropped) report.dropped.push_back({std::move(dropped.name), std::move(dropped.why)});

  const ChosenRule chosen = choose_preprocess(folder, options, model.config, report.family);
  if (chosen.rule.config.size != model.config.image_size)
    fail(ErrorKind::usage, "[import] the preprocessing of ", chosen.origin, " makes pictures of ",
         chosen.rule.config.size, " pixels, the model takes ", model.config.image_size, "; choose with --image-size");
  model.preprocess = to_json(chosen.rule.config);
  report.preprocess = chosen.origin;
  report.notes.insert(report.notes.end(), chosen.rule.notes.begin(), chosen.rule.notes.end());

  const nlohmann::json none;
  Labels labels = options.labels.empty() ? labels_of_config(options.new_classes ? none : folder.config,
                                                            model.config.classes, report.family)
                                         : labels_of_file(options.labels, model.config.classes);
  model.class_names = std::move(labels.names);
  report.labels = std::move(labels.source);

  model.origin = origin_of(source, folder, options, report.family);
  return imported;
}

std::vector<std::string> import_family_words() { return row_words(families()); }

std::string import_families_help() {
  std::string text;
  for (const Family& family : families()) text += concat(text.empty() ? "" : "\n", family.word, ": ", family.help);
  return text;
}

}  // namespace vit
