// Everything that a training run depends on, beside the data: stored as RUN/config.json and in the model.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/augment.h"
#include "preprocess/config.h"
#include "vit/core/dtype_words.h"
#include "vit/core/option_table.h"
#include "vit/core/words.h"
#include "vit/layers/recompute.h"
#include "vit/model/config.h"

namespace vit {

enum class ScheduleKind { cosine, linear, constant };

template <>
inline constexpr Word<ScheduleKind> kWords<ScheduleKind>[] = {
    {ScheduleKind::cosine, "cosine"}, {ScheduleKind::linear, "linear"}, {ScheduleKind::constant, "constant"}};
template <>
inline constexpr Word<Recompute> kWords<Recompute>[] = {
    {Recompute::none, "none"}, {Recompute::attention, "attention"}, {Recompute::block, "block"}};

/// Where fields were chosen by the person who trains, by name ("lr", "preprocess.size"): the command line or a file.
/// All others are defaults, of a recipe or of these structs, and may be fitted to the data.
using ChosenFields = std::map<std::string, std::string>;
inline constexpr const char* kCommandLine = "command line";

struct TrainConfig {
  std::string recipe = "default";
  ModelConfig model = {};  // classes 0 = as many as the data has, image_size 0 = an architecture that fits the pictures
  PreprocessConfig preprocess = {};
  AugmentConfig augment = {};

  int64_t epochs = 10;
  int64_t batch = 128;
  int64_t accumulate = 1;  // batches a step
  float lr = 1e-3f;
  float min_lr = 0;
  ScheduleKind schedule = ScheduleKind::cosine;
  float warmup_epochs = 1;
  std::string optimizer = "adamw";  // of the table in train/rules
  float weight_decay = 0.05f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float adam_eps = 1e-8f;
  float momentum = 0.9f;                    // of SGD
  bool nesterov = false;                    // form of that momentum
  float clip_norm = 1.0f;                   // 0 = no clipping
  std::string objective = "cross_entropy";  // of the table in train/objective.cpp
  float label_smoothing = 0.1f;
  float mixup = 0;    // alpha of Beta(alpha, alpha); 0 = images are not mixed
  float dropout = 0;  // after the position embedding, proj, fc1 and fc2, as timm's proj_drop
  float attention_dropout = 0;
  float drop_path = 0;  // of the last block, growing linearly from 0
  float ema_decay = 0;  // 0 = no average of the weights
  DType dtype = DType::f32;
  Recompute recompute = Recompute::none;  // of activations in backward, for less memory
  uint64_t seed = 0;
  std::string early_stop_metric = "val_top1";  // val_top1 or val_loss
  int64_t early_stop_patience = 0;             // epochs without a better one; 0 = never stop early
  int64_t save_every_steps = 0;                // last.h5 within an epoch; 0 = at the end of each epoch

  ChosenFields chosen = {};  // not stored
  bool is_chosen(const std::string& field) const { return chosen.contains(field); }
};

/// More than anybody counts; products of two such counts still fit 64 bits.
inline constexpr int64_t kMostCount = int64_t{1} << 30;

/// The plain fields, model, preprocess and augment aside: their JSON, ranges and options of the command line.
OptionTable<TrainConfig> train_options();
/// All faults in one Error (usage).
void validate(const TrainConfig& config);
nlohmann::json to_json(const TrainConfig& config);
/// With the fields, too, that files leave out where they are the default: for comparisons.
nlohmann::json complete_json(const TrainConfig& config);
/// Fields that are absent keep the value of `base`, the others become `chosen` ones. An unknown field or a value of
/// another type is an Error (data) that names it, a value out of range an Error (usage), here or in `validate`. "model"
/// may be the name of a preset, or null for an architecture that fits the pictures.
TrainConfig train_config_from_json(const nlohmann::json& json, const TrainConfig& base, std::string_view where);

/// What a command line chose: a preset, and fields in the form of RUN/config.json.
struct TrainChoices {
  std::string preset;  // empty = none was named
  nlohmann::json fields = nlohmann::json::object();
};
/// The choices put over `base`. Fields of the model change the preset, or what will be fitted to the pictures: see
/// changed_model. Throws as train_config_from_json does; the faults of a changed model are told by `validate`.
TrainConfig with_choices(const TrainConfig& base, const TrainChoices& choices);
/// `base` with those fields of config.model that were chosen. A new width alone keeps the size of a head and the ratio
/// of the feed-forward to it. The name says what changed: "vit_tiny6_patch4_32 depth=8".
ModelConfig changed_model(const ModelConfig& base, const TrainConfig& config);

/// Named recipes ("default", "cifar10", "digits"): optimizer, schedule, augmentation and regularisation.
TrainConfig train_recipe(std::string_view name);
std::vector<std::string> train_recipe_names();

/// Takes the architecture of a preset; the number of classes is left to the data.
void use_preset(TrainConfig& config, std::string_view preset);

}  // namespace vit
