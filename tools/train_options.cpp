#include "tools/train_options.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tools/args.h"
#include "train/config.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/model/config.h"

namespace vit::tools {
namespace {

using nlohmann::json;

struct Field {
  const char* option;
  const char* pointer;  // in config.json
  const char* unit;
  const char* group;
  const char* help;
};

constexpr const char* kModel = "Model and pixels";
constexpr const char* kSchedule = "Schedule";
constexpr const char* kOptimizer = "Optimizer";
constexpr const char* kRegularise = "Regularisation";
constexpr const char* kAugment = "Augmentation of training pictures";
constexpr const char* kRunning = "Running";

constexpr auto kFields = std::to_array<Field>({
    {"--image-size", "/preprocess/size", "PIXELS", kModel, "side of the square that the model sees"},
    {"--resize-size", "/preprocess/resize_size", "PIXELS", kModel, "shorter side before the centre is cut out"},
    {"--resize", "/preprocess/rule", "shorter_side|squash", kModel, "how pictures become squares"},
    {"--interpolation", "/preprocess/interpolation", "bilinear|bicubic|area", kModel, "filter of the resize"},
    {"--exif-rotate", "/preprocess/exif_rotate", "", kModel,
     "turn pictures upright by their EXIF orientation; the model keeps the choice"},
    {"--mean", "/preprocess/mean", "R G B", kModel, "mean of the pixels, in 0..1"},
    {"--std", "/preprocess/std", "R G B", kModel, "standard deviation of the pixels, in 0..1"},

    {"--epochs", "/epochs", "N", kSchedule, "passes over the training pictures"},
    {"--batch", "/batch", "N", kSchedule, "pictures a batch"},
    {"--accumulate", "/accumulate", "N", kSchedule, "batches a step"},
    {"--lr", "/lr", "RATE", kSchedule, "learning rate at the top"},
    {"--min-lr", "/min_lr", "RATE", kSchedule, "learning rate at the end"},
    {"--schedule", "/schedule", "cosine|linear|constant", kSchedule, "way from the top to the end, step by step"},
    {"--warmup-epochs", "/warmup_epochs", "EPOCHS", kSchedule, "linear way up to the top; fractions are fine"},
    {"--early-stop", "/early_stop_patience", "EPOCHS", kSchedule, "end after so many without a better one; 0 = never"},
    {"--metric", "/early_stop_metric", "val_top1|val_loss", kSchedule, "what makes an epoch the best"},

    {"--weight-decay", "/weight_decay", "X", kOptimizer, "AdamW's decay of matrices"},
    {"--beta1", "/beta1", "X", kOptimizer, "decay of the mean of gradients"},
    {"--beta2", "/beta2", "X", kOptimizer, "decay of the mean of their squares"},
    {"--adam-eps", "/adam_eps", "X", kOptimizer, "added to the root of the mean square"},
    {"--clip", "/clip_norm", "NORM", kOptimizer, "largest norm of all gradients; 0 = any"},
    {"--ema", "/ema_decay", "X", kOptimizer,
     "decay of a running mean of the weights, which is then the model; 0 = none"},

    {"--label-smoothing", "/label_smoothing", "SHARE", kRegularise, "share of the label spread over all classes"},
    {"--dropout", "/dropout", "RATE", kRegularise, "of embeddings, projections and the MLP"},
    {"--attention-dropout", "/attention_dropout", "RATE", kRegularise, "of attention weights"},
    {"--drop-path", "/drop_path", "RATE", kRegularise, "of the last block, growing linearly from 0"},

    {"--augment-flip", "/augment/flip", "PROBABILITY", kAugment, "of a mirror image"},
    {"--augment-crop", "/augment/crop_padding", "PIXELS", kAugment, "of border before a random crop of the old size"},
    {"--augment-rotate", "/augment/rotate", "DEGREES", kAugment, "at most, either way"},
    {"--augment-shift", "/augment/shift", "SHARE", kAugment, "of the side, at most, either way"},
    {"--augment-scale", "/augment/scale", "SHARE", kAugment, "larger or smaller by at most this"},
    {"--augment-shear", "/augment/shear", "DEGREES", kAugment, "at most, either way"},
    {"--augment-elastic", "/augment/elastic", "PIXELS", kAugment, "typical displacement of an elastic distortion"},
    {"--augment-elastic-sigma", "/augment/elastic_sigma", "PIXELS", kAugment, "over which that displacement varies"},
    {"--augment-erase", "/augment/erase", "PROBABILITY", kAugment, "of a rectangle of noise"},

    {"--dtype", "/dtype", "fp32|bf16", kRunning, "arithmetic of the products"},
    {"--recompute", "/recompute", "none|attention|block", kRunning,
     "of activations in backward: less memory, more time"},
    {"--seed", "/seed", "N", kRunning, "of all chance; the same seed gives the same bits"},
    {"--save-every", "/save_every_steps", "STEPS", kRunning, "write last.h5 within an epoch too; 0 = after each epoch"},
});

std::string value_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return json_text(value);
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : " ") + json_text(item);
  return text;
}

/// The words of "cosine|linear|constant".
std::vector<std::string> split_words(std::string_view unit) {
  std::vector<std::string> words(1);
  for (const char c : unit) {
    if (c == '|')
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

json parse_number(const std::string& option, const std::string& word, bool whole) {
  if (whole) {
    if (const auto value = parse_decimal<uint64_t>(word)) return *value;
  } else if (const auto value = parse_decimal<double>(word)) {
    return *value;
  }
  throw CLI::ValidationError(
      option, std::string("needs a ") + (whole ? "whole number of at least 0" : "number") + ", has '" + word + "'");
}

/// The words as a value of the same kind as `like`.
json parse_value(const std::string& option, const std::vector<std::string>& words, const json& like) {
  if (like.is_string()) return words.front();
  if (!like.is_array()) return parse_number(option, words.front(), like.is_number_integer());
  json values = json::array();
  for (const std::string& word : words) values.push_back(parse_number(option, word, false));
  return values;
}

}  // namespace

void add_train_config_options(CLI::App& command, json& overrides) {
  command
      .add_option_function<std::string>(
          "--model", [&overrides](const std::string& name) { overrides["model"] = name; },
          "architecture; without it one that fits the pictures: " + joined(model_preset_names(), ", "))
      ->type_name("PRESET")
      ->check(one_of(model_preset_names()))
      ->group(kModel);
  const json defaults = to_json(train_recipe("default"));
  for (const Field& field : kFields) {
    const json::json_pointer pointer(field.pointer);
    const json& like = defaults.at(pointer);
    const std::string name = field.option;
    if (like.is_boolean()) {
      command
          .add_flag_function(
              name, [pointer, &overrides](int64_t) { overrides[pointer] = true; }, field.help)
          ->group(field.group);
      continue;
    }
    const auto take = [name, pointer, like, &overrides](const std::vector<std::string>& words) {
      overrides[pointer] = parse_value(name, words, like);
    };
    auto* option = command.add_option_function<std::vector<std::string>>(name, take, field.help);
    if (!like.is_array()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    if (like.is_string()) option->check(one_of(split_words(field.unit)));
    option->expected(like.is_array() ? 3 : 1)->type_name(field.unit)->default_str(value_text(like))->group(field.group);
  }
}

}  // namespace vit::tools
