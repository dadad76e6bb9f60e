#include "train/prepare.h"

#include <algorithm>
#include <cmath>

#include "train/record_fields.h"
#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

constexpr std::string_view kData = "the data set";

PreprocessConfig geometry_of(const PreprocessConfig& geometry, const PreprocessConfig& numbers) {
  PreprocessConfig out = geometry;
  out.mean = numbers.mean;
  out.std = numbers.std;
  return out;
}

/// The config's geometry for another side; the share that the centre crop keeps stays.
PreprocessConfig scaled_to(const PreprocessConfig& config, int64_t size) {
  PreprocessConfig out = config;
  const double ratio = static_cast<double>(size) / static_cast<double>(config.size);
  out.resize_size = std::max(size, static_cast<int64_t>(std::llround(static_cast<double>(config.resize_size) * ratio)));
  out.size = size;
  return out;
}

/// The divisor of `size` that makes the grid closest to 14 x 14 patches for photographs, 8 x 8 for small pictures.
int64_t fitting_patch(int64_t size, double grid) {
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
  if (best == 0) {
    fail(ErrorKind::data, "[train] pictures of ", size, " x ", size, " pixels cannot be cut into 2 to ", kLargestGrid,
         " square patches a side; import them with another size, e.g. a multiple of 8");
  }
  return best;
}

ModelConfig fitting_model(int64_t size) {
  constexpr int64_t kPhotographs = 128;
  ModelConfig model;
  model.image_size = size;
  model.patch_size = fitting_patch(size, size >= kPhotographs ? 14 : 8);
  model.width = 192;
  model.depth = size >= kPhotographs ? 12 : 6;
  model.heads = 3;
  model.mlp_width = 768;
  model.classes = 0;
  model.name = concat("vit_tiny", model.depth, "_patch", model.patch_size, "_", size);
  return model;
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

void check_splits(const Dataset& data, const TrainConfig& config) {
  const auto train = data.split("train");
  if (train == nullptr || train->size() == 0) {
    std::string names;
    for (const std::string& name : data.split_names()) names += concat(names.empty() ? "" : ", ", name);
    fail(ErrorKind::data, "[train] ", kData, " has no pictures in train, it has ", names.empty() ? "nothing" : names);
  }
  const auto val = data.split("val");
  if (config.early_stop_patience > 0 && (val == nullptr || val->size() == 0)) {
    fail(ErrorKind::usage, "[train] early_stop_patience: early stopping needs a val split, ", kData, " has none");
  }
}

void check_init(const Model& init, const ModelConfig& model) {
  ModelConfig same = init.config;
  same.name = model.name;
  same.classes = model.classes;
  if (same == model) return;
  nlohmann::json wanted = to_json(model);
  const nlohmann::json has = to_json(same);
  for (const auto& [key, value] : wanted.items()) {
    if (has.at(key) != value) {
      fail(ErrorKind::data, "[train] the model to start from does not fit: ", key, " is ", json_text(has.at(key)),
           ", needs ", json_text(value), " (", model.name, ")");
    }
  }
}

}  // namespace

PreprocessConfig resolve_preprocess(const Dataset& data, const TrainConfig& config) {
  const nlohmann::json stored = data.preprocess();
  if (stored.is_object()) return geometry_of(preprocess_config_from_json(stored, kData), config.preprocess);
  if (const int64_t side = data.image_size(); side > 0) {
    PreprocessConfig out = config.preprocess;
    out.size = out.resize_size = side;
    out.rule = ResizeRule::squash;
    return out;
  }
  return config.model.image_size > 0 ? scaled_to(config.preprocess, config.model.image_size) : config.preprocess;
}

TrainConfig resolve(const TrainConfig& config, const Dataset& data, const Model* init) {
  TrainConfig out = config;
  if (out.model.image_size == 0 && init != nullptr) {
    out.model = init->config;
    out.model.classes = 0;
  }
  out.preprocess = resolve_preprocess(data, out);
  if (out.model.image_size == 0) out.model = fitting_model(out.preprocess.size);
  check_splits(data, out);
  check_classes(data, out);
  if (out.model.image_size != out.preprocess.size) {
    fail(ErrorKind::data, "[train] model ", out.model.name, " takes ", out.model.image_size, " x ",
         out.model.image_size, " pixels, ", kData, " holds ", out.preprocess.size, " x ", out.preprocess.size,
         "; choose a model for that size or import with another one");
  }
  validate(out);
  if (init != nullptr) check_init(*init, out.model);
  return out;
}

Pipeline training_pipeline(const Dataset& data, const TrainConfig& resolved) {
  PreprocessConfig config = resolved.preprocess;
  if (data.image_size() == config.size) config.rule = ResizeRule::squash;
  return Pipeline(config, resolved.model.patch_size);
}

nlohmann::json data_record(const Dataset& data) {
  nlohmann::json record{{"class_names", data.class_names()}};
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
  for (const Parameter& p : model.layout.all()) {
    const Parameter* from = init->layout.find(p.name);
    const bool new_head = init->config.classes != resolved.model.classes && p.name.starts_with("head.");
    if (from == nullptr || new_head) continue;
    if (from->shape != p.shape)
      fail(ErrorKind::data, "[train] ", p.name, " of the model to start from has another shape");
    std::copy_n(at(init->weights, *from), p.count, at(model.weights, p));
  }
  return model;
}

}  // namespace vit
