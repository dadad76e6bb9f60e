#include "train/prepare.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "infer/class_match.h"
#include "train/rules/update_rule.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/core/log.h"
#include "vit/core/options.h"

namespace vit {
namespace {

constexpr std::string_view kData = "the data set";
constexpr std::string_view kNoValidation = "there is no val split, so the last epoch is the best";

/// What is said once the run is known to begin: who reads of an error reads of nothing else.
using Notes = std::vector<std::string>;

/// Sets a default to what fits, and says so.
template <class Value>
void fit(const char* field, Value& value, Value fitted, std::string_view why, Notes& notes) {
  if (value == fitted) return;
  notes.push_back(concat(field, ": ", fitted, " and not ", value, ": ", why));
  value = fitted;
}

void fit_schedule(TrainConfig& config, Notes& notes) {
  const float half = static_cast<float>(config.epochs) / 2;
  if (!config.is_chosen("warmup_epochs") && config.epochs > 0 && config.warmup_epochs > half)
    fit("warmup_epochs", config.warmup_epochs, half, "at most half of the epochs", notes);
}

/// A chosen field that does nothing: on the command line an error. A file may hold more than is needed, so there it is
/// only told, and not when the value is `neutral`.
void note_no_effect(const TrainConfig& config, const std::string& field, bool neutral, std::string_view why) {
  const auto found = config.chosen.find(field);
  if (found == config.chosen.end()) return;
  if (found->second == kCommandLine) fail(ErrorKind::usage, "[train] ", field, " has no effect: ", why);
  if (!neutral) log(LogLevel::warning, concat(field, " of ", found->second, " has no effect: ", why));
}

std::string fill_text(const PreprocessConfig& config) { return json_text(nlohmann::json(config.fill)); }

/// Chosen geometry must be that which made the stored pixels.
void check_stored_geometry(const TrainConfig& config, const PreprocessConfig& stored) {
  const auto check = [&](const char* field, const char* option, const auto& has, const auto& needs) {
    if (config.is_chosen(field) && has != needs)
      fail(ErrorKind::usage, "[train] ", field, " (", option, "): needs ", needs, ", has ", has, ": ", kData,
           " was resized that way when it was imported; import it another way, or with --encoded");
  };
  const PreprocessConfig& p = config.preprocess;
  check("preprocess.size", "--image-size", p.size, stored.size);
  check("preprocess.rule", "--resize", word_of(p.rule), word_of(stored.rule));
  check("preprocess.interpolation", "--interpolation", word_of(p.interpolation), word_of(stored.interpolation));
  check("preprocess.decoding", "--decoding", word_of(p.decoding), word_of(stored.decoding));
  if (has_borders(stored)) check("preprocess.fill", "--fill", fill_text(p), fill_text(stored));
  if (stored.rule != ResizeRule::squash)
    check("preprocess.resize_size", "--resize-size", p.resize_size, stored.resize_size);
  else
    note_no_effect(config, "preprocess.resize_size", p.resize_size == stored.resize_size,
                   concat(kData, " was squashed to squares when it was imported"));
}

PreprocessConfig geometry_of(const PreprocessConfig& geometry, const PreprocessConfig& numbers) {
  PreprocessConfig out = geometry;
  out.mean = numbers.mean;
  out.std = numbers.std;
  out.exif_rotate = numbers.exif_rotate;
  return out;
}

/// The import has chosen for a data set file, the caller for a folder.
bool resolve_exif_rotate(const Dataset& data, bool asked) {
  const bool turned = data.exif_rotate().value_or(asked);
  if (asked && !turned)
    fail(ErrorKind::usage, "[train] exif_rotate: ", kData,
         " was imported without it; import it with --exif-rotate, or train on the folder itself");
  return turned;
}

/// For another side; unless it was chosen, the share that the centre crop keeps stays.
PreprocessConfig scaled_to(const TrainConfig& config, int64_t size) {
  PreprocessConfig out = config.preprocess;
  const double ratio = static_cast<double>(size) / static_cast<double>(out.size);
  const int64_t least = out.pad || out.rule == ResizeRule::longer_side ? 1 : size;
  if (!config.is_chosen("preprocess.resize_size"))
    out.resize_size = std::max(least, static_cast<int64_t>(std::llround(static_cast<double>(out.resize_size) * ratio)));
  out.size = size;
  return out;
}

/// The divisor of `size` that makes the grid closest to 14 x 14 patches for photographs, 8 x 8 for small pictures.
int64_t fitting_patch(int64_t size, double grid, ErrorKind fault) {
  constexpr int64_t kLargestGrid = 32;
  int64_t best = 0;
  double best_distance = 0;
  for (int64_t patch = 1; patch <= size / 2; ++patch) {
    if (size % patch != 0 || size / patch > kLargestGrid) continue;
    const double distance = std::abs(std::log(static_cast<double>(size / patch) / grid));
    if (best == 0 || distance < best_distance) {
      best = patch;
      best_distance = distance;
    }
  }
  if (best == 0)
    fail(
        fault, "[train] pictures of ", size, " x ", size, " pixels cannot be cut into 2 to ", kLargestGrid,
        " square patches a side; choose another --image-size or import them with another --size, e.g. a multiple of 8");
  return best;
}

/// For pictures of that side; what was chosen of it stays.
ModelConfig fitting_model(const TrainConfig& config, int64_t size, ErrorKind fault) {
  constexpr int64_t kPhotographs = 128;
  ModelConfig model;
  model.image_size = size;
  model.patch_size = config.is_chosen("model.patch_size") ? config.model.patch_size
                                                          : fitting_patch(size, size >= kPhotographs ? 14 : 8, fault);
  model.width = 192;
  model.depth = size >= kPhotographs ? 12 : 6;
  model.heads = 3;
  model.mlp_width = 768;
  model.classes = 0;
  model.name = concat("vit_tiny", model.depth, "_patch", model.patch_size, "_", size);
  return changed_model(model, config);
}

void check_classes(const Dataset& data, TrainConfig& config) {
  const auto classes = static_cast<int64_t>(data.class_names().size());
  if (classes < 2) fail(ErrorKind::data, "[train] ", kData, " has ", classes, " class, needs at least 2 to tell apart");
  if (config.model.classes == 0) config.model.classes = classes;
  if (config.model.classes != classes) {
    fail(ErrorKind::data, "[train] the model has ", config.model.classes, " classes, ", kData, " has ", classes,
         "; leave the number of classes to the data");
  }
}

bool has_validation(const Dataset& data) {
  const auto val = data.split("val");
  return val != nullptr && val->size() > 0;
}

void check_splits(const Dataset& data, const TrainConfig& config) {
  const auto train = data.split("train");
  if (train == nullptr || train->size() == 0) {
    std::string names;
    for (const std::string& name : data.split_names()) names += concat(names.empty() ? "" : ", ", name);
    fail(ErrorKind::data, "[train] ", kData, " has no pictures in train, it has ", names.empty() ? "nothing" : names);
  }
  if (has_validation(data)) return;
  if (config.early_stop_patience > 0)
    fail(ErrorKind::usage, "[train] early_stop_patience: early stopping needs a val split, ", kData, " has none");
  note_no_effect(config, "early_stop_metric", config.early_stop_metric == "val_top1", kNoValidation);
}

void fit_to_splits(const Dataset& data, TrainConfig& config, Notes& notes) {
  const int64_t pictures = data.split("train")->size();
  const std::string why = concat("train has ", pictures, " pictures");
  if (config.batch > pictures && config.is_chosen("batch"))
    notes.push_back("batch: each step takes all pictures, " + why);
  else if (config.batch > pictures)
    fit("batch", config.batch, pictures, why, notes);
  if (!has_validation(data) && !config.is_chosen("early_stop_metric"))
    fit("early_stop_metric", config.early_stop_metric, std::string("val_top1"), kNoValidation, notes);
}

/// Options of other update rules.
void check_optimizer_options(const TrainConfig& config) {
  const UpdateRuleEntry& rule = update_rule_entry(config);
  const TrainConfig defaults;
  for (const UpdateRuleEntry& other : update_rules())
    for (const OptionField<TrainConfig>& field : train_options())
      if (other.reads(field.name) && !rule.reads(field.name))
        note_no_effect(config, field.name, field.member.write(config) == field.member.write(defaults),
                       concat("the optimizer is ", config.optimizer));
}

/// What was chosen of these options must do something; `prefix` stands before their names.
template <class Options>
void check_acting(const TrainConfig& config, const char* prefix, OptionTable<Options> table, const Options& options) {
  const Options defaults;
  for (const OptionField<Options>& field : table)
    if (field.acts != nullptr && !field.acts(options))
      note_no_effect(config, concat(prefix, field.name), field.member.write(options) == field.member.write(defaults),
                     field.idle);
}

/// The same whatever the data.
void check_effects(const TrainConfig& config) {
  check_optimizer_options(config);
  check_acting(config, "", train_options(), config);
  check_acting(config, "augment.", augment_options(), config.augment);
}

/// Files of one small size: a folder is resized to the usual side whatever is in it, which is dear for these.
void note_small_pictures(const Dataset& data, int64_t side, Notes& notes) {
  const int64_t own = data.image_size();
  if (own > 0 && own < side)
    notes.push_back(concat("pictures of ", own, " x ", own, " are resized to ", side, " x ", side, "; --image-size ",
                           own, " makes a smaller and faster model"));
}

/// Gives the model the side of the pictures, where its preset was named and the side was chosen.
void fit_model_side(const Dataset& data, TrainConfig& config, bool init) {
  ModelConfig& model = config.model;
  const int64_t side = config.preprocess.size;
  if (model.image_size == side) return;
  const bool chosen = config.is_chosen("preprocess.size");
  if (!chosen)
    fail(ErrorKind::data, "[train] model ", model.name, " takes ", model.image_size, " x ", model.image_size,
         " pixels, ", kData, " holds ", side, " x ", side, "; choose a model for that size",
         data.preprocess().is_object() ? ", or import with another one"
                                       : concat(", or --image-size ", model.image_size, " to resize them"));
  if (init || config.is_chosen("model.image_size"))
    fail(ErrorKind::usage, "[train] preprocess.size (--image-size): the model ", init ? "to start from " : "", "takes ",
         model.image_size, " x ", model.image_size, " pixels, has ", side);
  if (side % model.patch_size != 0)
    fail(ErrorKind::usage, "[train] preprocess.size (--image-size): ", model.name, " needs a multiple of its patches' ",
         model.patch_size, " pixels, has ", side);
  model.name += concat(" image-size=", side);
  model.image_size = side;
}

/// Pixels become numbers as the weights to start from know them.
void take_numbers(const Model& init, TrainConfig& config, Notes& notes) {
  if (!init.preprocess.is_object()) return;
  const PreprocessConfig from = preprocess_config_from_json(init.preprocess, "the model to start from");
  PreprocessConfig& p = config.preprocess;
  const bool chosen = config.is_chosen("preprocess.mean") || config.is_chosen("preprocess.std");
  if (from.mean == p.mean && from.std == p.std) return;
  notes.push_back(concat("mean and std of pixels: ", chosen ? "not " : "", "those of the model to start from, mean ",
                         json_text(to_json(from)["mean"]), " std ", json_text(to_json(from)["std"])));
  if (chosen) return;
  p.mean = from.mean;
  p.std = from.std;
}

/// `p` is what all else has settled.
void note_geometry(const Model& init, const PreprocessConfig& p, Notes& notes) {
  if (!init.preprocess.is_object()) return;
  const PreprocessConfig from = preprocess_config_from_json(init.preprocess, "the model to start from");
  if (!same_geometry(from, p))
    notes.push_back(concat("resize and crop: not those of the model to start from, which are ",
                           json_text(init.preprocess), "; --resize, --resize-size and --interpolation set them"));
}

/// For each class the row of the head of `init`; -1 = a new one. Says what was kept.
std::vector<int32_t> head_rows(const Model& init, const std::vector<std::string>& names) {
  const auto classes = static_cast<std::size_t>(init.config.classes);
  std::vector<int32_t> rows(names.size(), -1);
  if (classes == 0 || (init.class_names.empty() && classes != names.size())) {
    log(LogLevel::info, concat("head: all ", names.size(), " classes new, the model to start from has ", classes,
                               classes == 0 ? "" : " without names"));
    return rows;
  }
  if (init.class_names.empty()) {
    std::iota(rows.begin(), rows.end(), 0);
    log(LogLevel::info, concat("head: ", classes, " classes kept by position, the model to start from has no names"));
    return rows;
  }
  const ClassMatch match = match_names(names, init.class_names);
  std::string text =
      concat("head: ", names.size() - match.missing.size(), " of ", names.size(), " classes kept by name");
  if (!match.missing.empty()) text += ", new: " + some_names(match.missing);
  if (!match.unused.empty()) text += ", dropped: " + some_names(match.unused);
  log(LogLevel::info, text);
  return match.places;
}

void copy_head(const Model& init, const Parameter& from, const std::vector<int32_t>& rows, const Parameter& to,
               Model& model) {
  const int64_t row = to.count / static_cast<int64_t>(rows.size());
  for (std::size_t c = 0; c < rows.size(); ++c)
    if (rows[c] >= 0)
      std::copy_n(at(init.weights, from) + rows[c] * row, row, at(model.weights, to) + static_cast<int64_t>(c) * row);
}

void check_init(const Model& init, const ModelConfig& model) {
  ModelConfig same = init.config;
  same.name = model.name;
  same.classes = model.classes;
  if (same == model) return;
  const nlohmann::json wanted = all_options_json(model_options(), model);
  const nlohmann::json has = all_options_json(model_options(), same);
  for (const auto& [key, value] : wanted.items()) {
    if (has.at(key) != value) {
      fail(ErrorKind::data, "[train] the model to start from does not fit: ", key, " is ", json_text(has.at(key)),
           ", needs ", json_text(value), " (", model.name, ")");
    }
  }
}

}  // namespace

PreprocessConfig resolve_preprocess(const Dataset& data, const TrainConfig& given) {
  TrainConfig config = given;
  config.preprocess.exif_rotate = resolve_exif_rotate(data, given.preprocess.exif_rotate);
  const nlohmann::json stored = data.preprocess();
  if (stored.is_object()) {
    const PreprocessConfig geometry = preprocess_config_from_json(stored, kData);
    check_stored_geometry(config, geometry);
    return geometry_of(geometry, config.preprocess);
  }
  const int64_t side = data.has_files() ? 0 : data.image_size();
  PreprocessConfig out = config.preprocess;
  if (!config.is_chosen("preprocess.size")) {
    if (const int64_t wanted = side > 0 ? side : config.model.image_size; wanted > 0) out = scaled_to(config, wanted);
  }
  const bool chosen = config.is_chosen("preprocess.rule") || config.is_chosen("preprocess.resize_size");
  if (out.size == side && !chosen) {
    out.rule = ResizeRule::squash;
    out.resize_size = side;
  }
  if (out.rule == ResizeRule::squash)
    note_no_effect(config, "preprocess.resize_size", out.resize_size == out.size,
                   "squash resizes to the square (--resize shorter_side does not)");
  return out;
}

TrainConfig fit_defaults(const TrainConfig& config) {
  TrainConfig out = config;
  Notes unsaid;
  fit_schedule(out, unsaid);
  return out;
}

TrainConfig resolve(const TrainConfig& config, const Dataset& data, const Model* init) {
  TrainConfig out = config;
  Notes notes;
  fit_schedule(out, notes);
  check_effects(out);
  if (out.model.image_size == 0 && init != nullptr) {
    out.model = changed_model(init->config, out);
    out.model.classes = 0;
  }
  if (init != nullptr) take_numbers(*init, out, notes);
  out.preprocess = resolve_preprocess(data, out);
  const bool chosen_size = out.is_chosen("preprocess.size");
  if (out.model.image_size == 0 && !chosen_size && data.has_files())
    note_small_pictures(data, out.preprocess.size, notes);
  if (out.model.image_size == 0)
    out.model = fitting_model(out, out.preprocess.size, chosen_size ? ErrorKind::usage : ErrorKind::data);
  check_splits(data, out);
  check_classes(data, out);
  fit_model_side(data, out, init != nullptr);
  check_acting(out, "model.", model_options(), out.model);
  check_acting(out, "preprocess.", preprocess_options(), out.preprocess);
  validate(out.preprocess);
  validate(out);
  if (init != nullptr) check_init(*init, out.model);
  if (init != nullptr) note_geometry(*init, out.preprocess, notes);
  fit_to_splits(data, out, notes);
  for (const std::string& note : notes) log(LogLevel::info, note);
  return out;
}

Pipeline training_pipeline(const Dataset& data, const TrainConfig& resolved) {
  PreprocessConfig config = resolved.preprocess;
  if (data.preprocess().is_object() && data.image_size() == config.size) config.rule = ResizeRule::squash;
  return Pipeline(config, resolved.model.input_patch());
}

nlohmann::json data_record(const Dataset& data) {
  nlohmann::json record = nlohmann::json::object();
  for (const char* name : {"train", "val"}) {
    const auto split = data.split(name);
    if (split == nullptr) continue;
    record[name] = {{"images", split->size()}, {"checksum", data.checksum(name)}};
  }
  return record;
}

Model make_initial_model(const TrainConfig& resolved, const Dataset& data, const Model* init) {
  Model model = make_model(resolved.model, resolved.seed);
  model.preprocess = to_json(resolved.preprocess);
  model.class_names = data.class_names();
  if (init == nullptr) return model;
  model.origin = init->origin;
  const std::vector<int32_t> rows = head_rows(*init, model.class_names);
  for (const Parameter& p : model.layout.all()) {
    const Parameter* from = init->layout.find(p.name);
    if (from == nullptr) continue;
    if (p.role.task) {
      copy_head(*init, *from, rows, p, model);
      continue;
    }
    if (from->shape != p.shape)
      fail(ErrorKind::data, "[train] ", p.name, " of the model to start from has another shape");
    std::copy_n(at(init->weights, *from), p.count, at(model.weights, p));
  }
  return model;
}

}  // namespace vit
