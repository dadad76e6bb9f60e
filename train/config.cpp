#include "train/config.h"

#include <algorithm>
#include <cmath>

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

using nlohmann::json;

constexpr double kMost = int64_t{1} << 30;  // products of two such counts still fit
constexpr Range kCount{1, kMost};
constexpr Range kCountOrZero{0, kMost};

/// The one list of plain fields: names in the file, places in the struct, and for numbers what they may be.
template <class Config, class Visitor>
void for_each_field(Config& c, Visitor&& visit) {
  visit("recipe", c.recipe);
  visit("epochs", c.epochs, kCount);
  visit("batch", c.batch, kCount);
  visit("accumulate", c.accumulate, kCount);
  visit("lr", c.lr, kAboveZero);
  visit("min_lr", c.min_lr, kAtLeastZero);
  visit("schedule", c.schedule);
  visit("warmup_epochs", c.warmup_epochs, kAtLeastZero);
  visit("weight_decay", c.weight_decay, kAtLeastZero);
  visit("beta1", c.beta1, kZeroToBelowOne);
  visit("beta2", c.beta2, kZeroToBelowOne);
  visit("adam_eps", c.adam_eps, kAboveZero);
  visit("clip_norm", c.clip_norm, kAtLeastZero);
  visit("label_smoothing", c.label_smoothing, kZeroToBelowOne);
  visit("dropout", c.dropout, kZeroToBelowOne);
  visit("attention_dropout", c.attention_dropout, kZeroToBelowOne);
  visit("drop_path", c.drop_path, kZeroToBelowOne);
  visit("ema_decay", c.ema_decay, kZeroToBelowOne);
  visit("dtype", c.dtype);
  visit("recompute", c.recompute);
  visit("seed", c.seed);
  visit("early_stop_metric", c.early_stop_metric);
  visit("early_stop_patience", c.early_stop_patience, kCountOrZero);
  visit("save_every_steps", c.save_every_steps, kCountOrZero);
}

json encode(const std::string& value) { return value; }
json encode(int64_t value) { return value; }
json encode(uint64_t value) { return value; }
json encode(float value) { return shortest_double(value); }
template <class Enum>
json encode(Enum value) {
  return std::string(word_of(value));
}

void decode(const JsonFields& fields, const char* name, std::string& out) { out = fields.text(name); }
void decode(const JsonFields& fields, const char* name, float& out) { out = fields.number(name); }
template <class Enum>
void decode(const JsonFields& fields, const char* name, Enum& out) {
  out = fields.word<Enum>(name);
}

[[noreturn]] void reject_range(const JsonFields& fields, const char* name, std::string_view needs) {
  fail(ErrorKind::usage, "[train_config] ", name, ": needs ", needs, ", has ", json_text(fields.field(name)));
}

void decode(const JsonFields& fields, const char* name, uint64_t& out) {
  const json& value = fields.field(name);
  if (!value.is_number_integer()) fields.reject_field(name, "a whole number");
  if (!value.is_number_unsigned() && value.get<int64_t>() < 0) reject_range(fields, name, "at least 0");
  out = value.get<uint64_t>();
}

void decode(const JsonFields& fields, const char* name, int64_t& out) {
  const json& value = fields.field(name);
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kMost))
    reject_range(fields, name, concat("at most ", static_cast<int64_t>(kMost)));
  out = fields.integer(name);
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
  return model_config_from_json(overlay(to_json(base), value, "model", where), where, ErrorKind::usage);
}

/// Whether resize_size is large enough is known when the data or the model have told the side.
void open_side(json& preprocess) {
  const json &size = preprocess.at("size"), &resize_size = preprocess.at("resize_size");
  if (size.is_number_integer() && resize_size.is_number_integer() && resize_size < size && resize_size >= 1)
    preprocess["size"] = resize_size;
}

/// A new side alone keeps the share of the picture that the centre crop takes.
PreprocessConfig preprocess_from_json(const json& value, const PreprocessConfig& base, std::string_view where) {
  json merged = overlay(to_json(base), value, "preprocess", where);
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
  if (config.model.image_size != 0) {
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
  for_each_field(config, [&]([[maybe_unused]] const char* name, const auto& value, const auto&... range) {
    (faults.range(name, value, range), ...);
  });
  faults.check(!(config.min_lr > config.lr), "min_lr: needs at most lr, has ", config.min_lr, " and ", config.lr);
  faults.check(!(config.warmup_epochs > static_cast<float>(config.epochs)), "warmup_epochs: needs at most epochs, has ",
               config.warmup_epochs, " and ", config.epochs);
  faults.check(config.early_stop_metric == "val_top1" || config.early_stop_metric == "val_loss",
               "early_stop_metric: needs val_top1 or val_loss, has ", config.early_stop_metric);
  faults.check(config.dtype != DType::i8, "dtype: training computes in fp32 or bf16, has ", dtype_name(config.dtype));
  faults.raise(ErrorKind::usage, "train_config");
}

json to_json(const TrainConfig& config) {
  json out = json::object();
  for_each_field(config, [&out](const char* name, const auto& value, auto&&...) { out[name] = encode(value); });
  out["model"] = config.model.image_size == 0 ? json(nullptr) : to_json(config.model);
  out["preprocess"] = to_json(config.preprocess);
  out["augment"] = to_json(config.augment);
  return out;
}

TrainConfig train_config_from_json(const json& from, const TrainConfig& base, std::string_view where) {
  overlay(to_json(base), from, "run", where);
  const JsonFields fields(from, "train_config", where);
  TrainConfig config = base;
  for_each_field(config, [&](const char* name, auto& value, auto&&...) {
    if (fields.has(name)) decode(fields, name, value);
  });
  if (fields.has("model")) config.model = model_from_json(from.at("model"), base.model, where);
  if (fields.has("preprocess")) config.preprocess = preprocess_from_json(from.at("preprocess"), base.preprocess, where);
  if (fields.has("augment")) {
    const json merged = overlay(to_json(base.augment), from.at("augment"), "augment", where);
    config.augment = augment_config_from_json(merged, where, ErrorKind::usage);
  }
  if (fields.has("model") && !from.at("model").is_object())  // in place of one whose parts were chosen
    std::erase_if(config.chosen, [](const auto& field) { return field.first.starts_with("model."); });
  add_chosen(from, where, config.chosen);
  return config;
}

}  // namespace vit
