#include "train/config.h"

#include <cmath>
#include <limits>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

using nlohmann::json;

/// The one list of plain fields: names in the file, places in the struct.
template <class Config, class Visitor>
void for_each_field(Config& config, Visitor&& visit) {
  visit("recipe", config.recipe);
  visit("epochs", config.epochs);
  visit("batch", config.batch);
  visit("accumulate", config.accumulate);
  visit("lr", config.lr);
  visit("min_lr", config.min_lr);
  visit("schedule", config.schedule);
  visit("warmup_epochs", config.warmup_epochs);
  visit("weight_decay", config.weight_decay);
  visit("beta1", config.beta1);
  visit("beta2", config.beta2);
  visit("adam_eps", config.adam_eps);
  visit("clip_norm", config.clip_norm);
  visit("label_smoothing", config.label_smoothing);
  visit("dropout", config.dropout);
  visit("attention_dropout", config.attention_dropout);
  visit("drop_path", config.drop_path);
  visit("ema_decay", config.ema_decay);
  visit("dtype", config.dtype);
  visit("recompute", config.recompute);
  visit("seed", config.seed);
  visit("early_stop_metric", config.early_stop_metric);
  visit("early_stop_patience", config.early_stop_patience);
  visit("save_every_steps", config.save_every_steps);
}

json encode(const std::string& value) { return value; }
json encode(int64_t value) { return value; }
json encode(uint64_t value) { return value; }
json encode(float value) { return shortest_double(value); }
json encode(ScheduleKind value) { return std::string(schedule_name(value)); }
json encode(Recompute value) { return std::string(recompute_name(value)); }
json encode(DType value) { return std::string(dtype_name(value)); }

/// One field of a file, for messages.
struct Field {
  std::string name;
  std::string_view where;

  [[noreturn]] void reject(std::string_view needs, const json& has) const {
    fail(ErrorKind::data, "[train_config] ", name, ": needs ", needs, ", has ", json_text(has), " (", where, ")");
  }
};

void decode(const json& value, const Field& field, std::string& out) {
  if (!value.is_string()) field.reject("a text", value);
  out = value.get<std::string>();
}

void decode(const json& value, const Field& field, uint64_t& out) {
  const bool negative = !value.is_number_unsigned() && value.is_number_integer() && value.get<int64_t>() < 0;
  if (!value.is_number_integer() || negative) field.reject("a whole number of at least 0", value);
  out = value.get<uint64_t>();
}

void decode(const json& value, const Field& field, int64_t& out) {
  const bool fits = !value.is_number_unsigned() ||
                    value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!value.is_number_integer() || !fits) field.reject("a whole number", value);
  out = value.get<int64_t>();
}

void decode(const json& value, const Field& field, float& out) {
  if (!value.is_number()) field.reject("a number", value);
  const auto number = value.get<double>();
  if (!(std::abs(number) <= static_cast<double>(std::numeric_limits<float>::max())))
    field.reject("a number of 32 bits", value);
  out = static_cast<float>(number);
}

void decode(const json& value, const Field& field, ScheduleKind& out) {
  std::string name;
  decode(value, field, name);
  try {
    out = parse_schedule(name);
  } catch (const Error&) {
    field.reject("cosine, linear or constant", value);
  }
}

void decode(const json& value, const Field& field, DType& out) {
  std::string name;
  decode(value, field, name);
  try {
    out = parse_dtype(name);
  } catch (const Error&) {
    field.reject("fp32 or bf16", value);
  }
}

void decode(const json& value, const Field& field, Recompute& out) {
  std::string name;
  decode(value, field, name);
  try {
    out = parse_recompute(name);
  } catch (const Error&) {
    field.reject("none, attention or block", value);
  }
}

/// `base` with the fields of `changes` put over it; fields that `base` does not know are an Error.
json overlay(json base, const json& changes, const Field& field) {
  if (!changes.is_object()) field.reject("an object", changes);
  for (const auto& [key, value] : changes.items()) {
    if (!base.contains(key)) {
      fail(ErrorKind::data, "[train_config] ", field.name, ".", key, ": unknown field (", field.where, ")");
    }
    base[key] = value;
  }
  return base;
}

ModelConfig model_from_json(const json& value, const ModelConfig& base, const Field& field) {
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
  return model_config_from_json(overlay(to_json(base), value, field), field.where);
}

/// A new side alone keeps the share of the picture that the centre crop takes.
PreprocessConfig preprocess_from_json(const json& value, const PreprocessConfig& base, const Field& field) {
  json merged = overlay(to_json(base), value, field);
  constexpr int64_t kLargestSide = 1 << 20;  // the checks of the config are stricter
  const json& size = merged.at("size");
  if (!value.contains("resize_size") && size.is_number_integer() && size >= 1 && size <= kLargestSide &&
      base.size >= 1) {
    const double share = static_cast<double>(base.resize_size) / static_cast<double>(base.size);
    merged["resize_size"] = std::llround(share * size.get<double>());
  }
  return preprocess_config_from_json(merged, field.where);
}

/// Collects faults, so that all of them are told at once.
class Faults {
 public:
  template <class... Parts>
  void check(bool good, const Parts&... parts) {
    if (good) return;
    if (!text_.empty()) text_ += "; ";
    text_ += concat(parts...);
  }

  template <class Check>
  void collect(Check&& check_part) {
    try {
      check_part();
    } catch (const Error& error) {
      check(false, error.what());
    }
  }

  void raise() const {
    if (!text_.empty()) fail(ErrorKind::usage, "[train_config] ", text_);
  }

 private:
  std::string text_;
};

void check_optimizer(const TrainConfig& c, Faults& faults) {
  const auto not_negative = [](float x) { return std::isfinite(x) && x >= 0; };
  const auto below_one = [](float x) { return x >= 0 && x < 1; };
  faults.check(std::isfinite(c.lr) && c.lr > 0, "lr: needs a number above 0, has ", c.lr);
  faults.check(not_negative(c.min_lr) && !(c.min_lr > c.lr), "min_lr: needs 0 to lr, has ", c.min_lr);
  faults.check(not_negative(c.warmup_epochs) && !(c.warmup_epochs > static_cast<float>(c.epochs)),
               "warmup_epochs: needs 0 to epochs, has ", c.warmup_epochs);
  faults.check(not_negative(c.weight_decay), "weight_decay: needs at least 0, has ", c.weight_decay);
  faults.check(below_one(c.beta1), "beta1: needs 0 to below 1, has ", c.beta1);
  faults.check(below_one(c.beta2), "beta2: needs 0 to below 1, has ", c.beta2);
  faults.check(std::isfinite(c.adam_eps) && c.adam_eps > 0, "adam_eps: needs a number above 0, has ", c.adam_eps);
  faults.check(not_negative(c.clip_norm), "clip_norm: needs at least 0, has ", c.clip_norm);
  faults.check(below_one(c.ema_decay), "ema_decay: needs 0 to below 1, has ", c.ema_decay);
}

void check_regularisation(const TrainConfig& c, Faults& faults) {
  const auto rate = [&faults](std::string_view name, float x) {
    faults.check(x >= 0 && x < 1, name, ": needs 0 to below 1, has ", x);
  };
  rate("label_smoothing", c.label_smoothing);
  rate("dropout", c.dropout);
  rate("attention_dropout", c.attention_dropout);
  rate("drop_path", c.drop_path);
}

constexpr int64_t kMost = int64_t{1} << 30;  // products of two such counts still fit

void check_run(const TrainConfig& c, Faults& faults) {
  const auto count = [&faults](std::string_view name, int64_t x, int64_t least) {
    faults.check(x >= least && x <= kMost, name, ": needs ", least, " to ", kMost, ", has ", x);
  };
  count("epochs", c.epochs, 1);
  count("batch", c.batch, 1);
  count("accumulate", c.accumulate, 1);
  count("early_stop_patience", c.early_stop_patience, 0);
  count("save_every_steps", c.save_every_steps, 0);
  faults.check(c.early_stop_metric == "val_top1" || c.early_stop_metric == "val_loss",
               "early_stop_metric: needs val_top1 or val_loss, has ", c.early_stop_metric);
  faults.check(c.dtype != DType::i8, "dtype: training computes in fp32 or bf16, has ", dtype_name(c.dtype));
}

}  // namespace

std::string_view schedule_name(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::cosine:
      return "cosine";
    case ScheduleKind::linear:
      return "linear";
    case ScheduleKind::constant:
      return "constant";
  }
  fail(ErrorKind::internal, "[schedule] unknown kind");
}

std::string_view recompute_name(Recompute recompute) {
  switch (recompute) {
    case Recompute::none:
      return "none";
    case Recompute::attention:
      return "attention";
    case Recompute::block:
      return "block";
  }
  fail(ErrorKind::internal, "[recompute] unknown kind");
}

Recompute parse_recompute(std::string_view name) {
  for (auto kind : {Recompute::none, Recompute::attention, Recompute::block})
    if (name == recompute_name(kind)) return kind;
  fail(ErrorKind::usage, "[recompute] needs none, attention or block, has '", name, "'");
}

ScheduleKind parse_schedule(std::string_view name) {
  for (auto kind : {ScheduleKind::cosine, ScheduleKind::linear, ScheduleKind::constant}) {
    if (name == schedule_name(kind)) return kind;
  }
  fail(ErrorKind::usage, "[schedule] needs cosine, linear or constant, has ", name);
}

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
  faults.collect([&] { validate(config.preprocess); });
  faults.collect([&] { validate(config.augment); });
  check_run(config, faults);
  check_optimizer(config, faults);
  check_regularisation(config, faults);
  faults.raise();
}

json to_json(const TrainConfig& config) {
  json out = json::object();
  for_each_field(config, [&out](const char* name, const auto& value) { out[name] = encode(value); });
  out["model"] = config.model.image_size == 0 ? json(nullptr) : to_json(config.model);
  out["preprocess"] = to_json(config.preprocess);
  out["augment"] = to_json(config.augment);
  return out;
}

TrainConfig train_config_from_json(const json& from, const TrainConfig& base, std::string_view where) {
  overlay(to_json(base), from, Field{"run", where});
  TrainConfig config = base;
  for_each_field(config, [&](const char* name, auto& value) {
    if (from.contains(name)) decode(from.at(name), Field{name, where}, value);
  });
  if (from.contains("model")) config.model = model_from_json(from.at("model"), base.model, Field{"model", where});
  if (from.contains("preprocess")) {
    config.preprocess = preprocess_from_json(from.at("preprocess"), base.preprocess, Field{"preprocess", where});
  }
  if (from.contains("augment")) {
    const Field field{"augment", where};
    config.augment = augment_config_from_json(overlay(to_json(base.augment), from.at("augment"), field), where);
  }
  return config;
}

}  // namespace vit
