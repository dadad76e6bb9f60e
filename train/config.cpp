#include "train/config.h"

#include <algorithm>
#include <cmath>

#include "train/objective.h"
#include "train/rules/update_rule.h"
#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"
#include "vit/core/options.h"

namespace vit {
namespace {

using nlohmann::json;

/// Whole numbers that their type cannot hold are out of range, and not of another type.
void check_magnitudes(const JsonFields& fields) {
  const TrainConfig defaults;
  for (const OptionField<TrainConfig>& field : train_options()) {
    const json like = field.member.write(defaults);
    if (!like.is_number_integer() || !fields.has(field.name)) continue;
    const json& value = fields.field(field.name);
    const auto reject = [&](std::string_view needs) {
      fail(ErrorKind::usage, "[train_config] ", field.name, ": needs ", needs, ", has ", json_text(value));
    };
    if (like.is_number_unsigned()) {
      if (value.is_number_integer() && !value.is_number_unsigned() && value.get<int64_t>() < 0) reject("at least 0");
    } else if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kMostCount}) {
      reject(concat("at most ", kMostCount));
    }
  }
}

/// `base` with the fields of `changes` put over it; fields that `base` does not know are an Error.
json overlay(json base, const json& changes, const std::string& name, std::string_view where) {
  if (!changes.is_object())
    fail(ErrorKind::data, "[train_config] ", name, ": needs an object, has ", json_text(changes), " (", where, ")");
  for (const auto& [key, value] : changes.items()) {
    if (!base.contains(key)) fail(ErrorKind::data, "[train_config] ", name, ".", key, ": unknown field (", where, ")");
    base[key] = value;
  }
  return base;
}

/// Unchecked: the rest is not known yet.
ModelConfig read_model(const json& from, std::string_view where) {
  ModelConfig model;
  read_options(model_options(), JsonFields(from, "model config", where), model);
  return model;
}

ModelConfig model_from_json(const json& value, const ModelConfig& base, std::string_view where) {
  if (value.is_null()) {
    ModelConfig fitted;
    fitted.image_size = 0;
    fitted.classes = 0;
    return fitted;
  }
  if (value.is_string()) {
    ModelConfig preset = model_preset(value.get<std::string>());
    preset.classes = 0;
    return preset;
  }
  const json merged = overlay(all_options_json(model_options(), base), value, "model", where);
  if (base.image_size == 0 && !value.contains("image_size")) return read_model(merged, where);
  return model_config_from_json(merged, where, ErrorKind::usage);
}

/// Whether resize_size is large enough is known when the data or the model have told the side.
void open_side(json& preprocess) {
  const json &size = preprocess.at("size"), &resize_size = preprocess.at("resize_size");
  if (size.is_number_integer() && resize_size.is_number_integer() && resize_size < size && resize_size >= 1)
    preprocess["size"] = resize_size;
}

/// A new side alone keeps the share of the picture that the centre crop takes.
PreprocessConfig preprocess_from_json(const json& value, const PreprocessConfig& base, std::string_view where) {
  json merged = overlay(all_options_json(preprocess_options(), base), value, "preprocess", where);
  constexpr int64_t kLargestSide = 1 << 20;  // the checks of the config are stricter
  const json& size = merged.at("size");
  if (!value.contains("resize_size") && size.is_number_integer() && size >= 1 && size <= kLargestSide &&
      base.size >= 1) {
    const double share = static_cast<double>(base.resize_size) / static_cast<double>(base.size);
    merged["resize_size"] = std::llround(share * size.get<double>());
  }
  const json side = size;
  if (!value.contains("size")) open_side(merged);
  PreprocessConfig config = preprocess_config_from_json(merged, where, ErrorKind::usage);
  config.size = side.is_number_integer() ? side.get<int64_t>() : config.size;
  return config;
}

/// The names of the fields of `from`: "lr", "preprocess.size"; "model" for a preset.
void add_chosen(const json& from, std::string_view where, ChosenFields& chosen) {
  for (const auto& [name, value] : from.items()) {
    if (value.is_null()) continue;
    if (value.is_object())
      for (const auto& [key, part] : value.items()) chosen[name + "." + key] = where;
    else
      chosen[name] = where;
  }
}

}  // namespace

void use_preset(TrainConfig& config, std::string_view preset) {
  config.model = model_preset(preset);
  config.model.classes = 0;
}

void validate(const TrainConfig& config) {
  Faults faults;
  if (config.model.image_size == 0) {
    for (const OptionField<ModelConfig>& field : model_options())
      if (config.is_chosen(concat("model.", field.name))) field.member.check(config.model, field, faults);
  } else {
    faults.collect([&] {
      ModelConfig model = config.model;
      if (model.classes == 0) model.classes = 2;  // the data will tell
      validate(model);
    });
  }
  faults.collect([&] {
    PreprocessConfig preprocess = config.preprocess;
    const bool open = !config.is_chosen("preprocess.size") && config.is_chosen("preprocess.resize_size");
    if (open && preprocess.resize_size >= 1) preprocess.size = std::min(preprocess.size, preprocess.resize_size);
    validate(preprocess);
  });
  faults.collect([&] { validate(config.augment); });
  check_options(train_options(), config, faults);
  faults.collect([&] { make_update_rule(config); });
  faults.collect([&] { make_objective(config); });
  faults.check(!(config.min_lr > config.lr), "min_lr: needs at most lr, has ", config.min_lr, " and ", config.lr);
  faults.check(!(config.warmup_epochs > static_cast<float>(config.epochs)), "warmup_epochs: needs at most epochs, has ",
               config.warmup_epochs, " and ", config.epochs);
  faults.check(config.early_stop_metric == "val_top1" || config.early_stop_metric == "val_loss",
               "early_stop_metric: needs val_top1 or val_loss, has ", config.early_stop_metric);
  faults.check(config.dtype != DType::i8, "dtype: training computes in fp32 or bf16, has ", dtype_name(config.dtype));
  faults.raise(ErrorKind::usage, "train_config");
}

json to_json(const TrainConfig& config) {
  json out = options_json(train_options(), config);
  out["model"] = config.model.image_size == 0 ? json(nullptr) : to_json(config.model);
  out["preprocess"] = to_json(config.preprocess);
  out["augment"] = to_json(config.augment);
  return out;
}

json complete_json(const TrainConfig& config) {
  json out = all_options_json(train_options(), config);
  out["model"] = config.model.image_size == 0 ? json(nullptr) : all_options_json(model_options(), config.model);
  out["preprocess"] = all_options_json(preprocess_options(), config.preprocess);
  out["augment"] = all_options_json(augment_options(), config.augment);
  return out;
}

TrainConfig train_config_from_json(const json& from, const TrainConfig& base, std::string_view where) {
  json known = all_options_json(train_options(), base);
  for (const char* part : {"model", "preprocess", "augment"}) known[part] = nullptr;
  overlay(known, from, "run", where);
  const JsonFields fields(from, "train_config", where);
  TrainConfig config = base;
  check_magnitudes(fields);
  read_options(train_options(), fields, config);
  if (fields.has("model")) config.model = model_from_json(from.at("model"), base.model, where);
  if (fields.has("preprocess")) config.preprocess = preprocess_from_json(from.at("preprocess"), base.preprocess, where);
  if (fields.has("augment")) {
    const json merged =
        overlay(all_options_json(augment_options(), base.augment), from.at("augment"), "augment", where);
    config.augment = augment_config_from_json(merged, where, ErrorKind::usage);
  }
  if (fields.has("model") && !from.at("model").is_object())  // in place of one whose parts were chosen
    std::erase_if(config.chosen, [](const auto& field) { return field.first.starts_with("model."); });
  add_chosen(from, where, config.chosen);
  return config;
}

TrainConfig with_choices(const TrainConfig& base, const TrainChoices& choices) {
  TrainConfig config = base;
  if (!choices.preset.empty()) config = train_config_from_json({{"model", choices.preset}}, config, kCommandLine);
  json rest = choices.fields;
  rest.erase("model");
  config = train_config_from_json(rest, config, kCommandLine);
  if (!choices.fields.contains("model")) return config;
  const ModelConfig before = config.model;
  const json& changes = choices.fields.at("model");
  const json merged = overlay(all_options_json(model_options(), before), changes, "model", kCommandLine);
  config.model = read_model(merged, kCommandLine);
  add_chosen({{"model", changes}}, kCommandLine, config.chosen);
  if (before.image_size != 0) config.model = changed_model(before, config);
  return config;
}

ModelConfig changed_model(const ModelConfig& base, const TrainConfig& config) {
  const auto chosen = [&config](const char* field) { return config.is_chosen(concat("model.", field)); };
  ModelConfig model = base;
  for (const OptionField<ModelConfig>& field : model_options())
    if (chosen(field.name)) field.member.copy(config.model, model);
  if (model.width != base.width && model.width <= kMostCount) {  // more is a fault
    if (!chosen("heads") && model.width % base.head_size() == 0) model.heads = model.width / base.head_size();
    if (!chosen("mlp_width")) model.mlp_width = base.mlp_width * model.width / base.width;
  }
  for (const OptionField<ModelConfig>& field : model_options()) {
    const json value = field.member.write(model);
    if (value != field.member.write(base))
      model.name += concat(" ", field.name, "=", value.is_string() ? value.get<std::string>() : json_text(value));
  }
  return model;
}

}  // namespace vit
