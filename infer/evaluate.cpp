#include "infer/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "infer/classify_files.h"
#include "vit/core/json_text.h"
#include "vit/kernels/softmax_loss.h"

namespace vit {
namespace {

/// Up to three of the names that `a` has and `b` has not.
std::string missing_names(const std::vector<std::string>& a, const std::map<std::string, int32_t>& b) {
  constexpr int kNamed = 3;
  std::string text;
  int count = 0;
  for (const std::string& name : a) {
    if (b.contains(name)) continue;
    if (count < kNamed) text += concat(count > 0 ? ", '" : "'", name, "'");
    ++count;
  }
  if (count > kNamed) text += concat(" and ", count - kNamed, " more");
  return count > 0 ? text : "none";
}

std::map<std::string, int32_t> places_of(const std::vector<std::string>& names) {
  std::map<std::string, int32_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) places.emplace(names[i], static_cast<int32_t>(i));
  return places;
}

bool same_geometry(const PreprocessConfig& a, const PreprocessConfig& b) {
  return a.size == b.size && a.rule == b.rule && a.interpolation == b.interpolation &&
         (a.rule == ResizeRule::squash || a.resize_size == b.resize_size);
}

std::string geometry_text(const PreprocessConfig& config) {
  nlohmann::json json = to_json(config);
  json.erase("mean");
  json.erase("std");
  return json_text(json);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> names_or_indices(const std::vector<std::string>& names, int64_t classes) {
  if (!names.empty()) return names;
  std::vector<std::string> indices;
  for (int64_t c = 0; c < classes; ++c) indices.push_back(std::to_string(c));
  return indices;
}

/// What the answers add up to, one batch at a time.
class Tally {
 public:
  Tally(const Split& split, const std::vector<int32_t>& classes, int64_t model_classes)
      : split_(split), classes_(classes), model_classes_(model_classes) {}

  void add(const Batch& batch, TensorView<const float> logits) {
    const auto size = static_cast<std::size_t>(batch.size);
    labels_.resize(size);
    losses_.resize(size);
    for (std::size_t row = 0; row < size; ++row) labels_[row] = model_class(batch.labels[row], batch.indices[row]);
    cross_entropy(logits, labels_.data(), 0.0f, 1.0f, losses_.data(), {});
    for (std::size_t row = 0; row < size; ++row) {
      loss_sum_ += static_cast<double>(losses_[row]);
      answers_.push_back(answer(batch.indices[row], labels_[row], logits[static_cast<int64_t>(row)].data()));
    }
    unreadable_.insert(unreadable_.end(), batch.unreadable.begin(), batch.unreadable.end());
  }

  Evaluation finish() {
    Evaluation result;
    result.images = static_cast<int64_t>(answers_.size());
    result.unreadable = std::move(unreadable_);
    std::vector<int32_t> labels;
    std::vector<int32_t> predicted;
    int64_t in_five = 0;
    for (const ImageAnswer& a : answers_) {
      labels.push_back(a.label);
      predicted.push_back(a.predicted);
      if (a.rank < 5) ++in_five;
    }
    result.scores = score(labels, predicted, model_classes_);
    result.top1 = result.scores.accuracy;
    if (result.images > 0) {
      result.top5 = static_cast<double>(in_five) / static_cast<double>(result.images);
      result.loss = loss_sum_ / static_cast<double>(result.images);
    }
    result.answers = std::move(answers_);
    return result;
  }

 private:
  int32_t model_class(int32_t label, int64_t index) const {
    if (label < 0 || label >= static_cast<int64_t>(classes_.size()))
      fail(ErrorKind::data, "[evaluate] label of picture ", index, ": needs 0..",
           static_cast<int64_t>(classes_.size()) - 1, ", has ", label);
    return classes_[static_cast<std::size_t>(label)];
  }

  ImageAnswer answer(int64_t index, int32_t label, const float* logits) const {
    const Prediction best = top_predictions(logits, model_classes_, 1, {}).front();
    ImageAnswer a;
    a.index = index;
    a.label = label;
    a.predicted = static_cast<int32_t>(best.index);
    a.probability = best.probability;
    a.rank = rank_of({logits, static_cast<std::size_t>(model_classes_)}, label);
    a.path = split_.path(index);
    return a;
  }

  const Split& split_;
  const std::vector<int32_t>& classes_;
  int64_t model_classes_;
  std::vector<int32_t> labels_;
  std::vector<float> losses_;
  double loss_sum_ = 0;
  std::vector<ImageAnswer> answers_;
  std::vector<UnreadableImage> unreadable_;
};

}  // namespace

std::vector<int32_t> match_classes(const Model& model, const std::vector<std::string>& data_names) {
  const int64_t classes = model.config.classes;
  if (classes == 0) fail(ErrorKind::usage, "[evaluate] the model has no head: it gives features, not classes");
  const auto places = places_of(model.class_names);
  const auto data_places = places_of(data_names);
  if (static_cast<int64_t>(data_names.size()) != classes) {
    std::string detail;
    if (!model.class_names.empty())
      detail = concat("; only in the data: ", missing_names(data_names, places),
                      "; only in the model: ", missing_names(model.class_names, data_places));
    fail(ErrorKind::data, "[evaluate] classes of the data: needs ", classes, " (the model's), has ", data_names.size(),
         detail);
  }
  std::vector<int32_t> matched(data_names.size());
  if (model.class_names.empty() || model.class_names == data_names) {
    std::iota(matched.begin(), matched.end(), 0);
    return matched;
  }
  for (std::size_t i = 0; i < data_names.size(); ++i) {
    const auto found = places.find(data_names[i]);
    if (found == places.end() || data_places.size() != data_names.size())
      fail(ErrorKind::data,
           "[evaluate] class names of data and model differ; only in the data: ", missing_names(data_names, places),
           "; only in the model: ", missing_names(model.class_names, data_places));
    matched[i] = found->second;
  }
  return matched;
}

void check_geometry(const PreprocessConfig& model, const Dataset& data) {
  const nlohmann::json stored = data.preprocess();
  if (stored.is_null()) return;
  const PreprocessConfig made = preprocess_config_from_json(stored, "the data set");
  const int64_t size = data.image_size() != 0 ? data.image_size() : made.size;
  if (size != model.size)
    fail(ErrorKind::data, "[evaluate] image size: the model needs ", model.size, ", the data set was resized to ", size,
         "; import it with --size ", model.size, " or --encoded");
  if (!same_geometry(made, model))
    fail(ErrorKind::data, "[evaluate] the data set was resized by another rule: the model needs ", geometry_text(model),
         ", the data has ", geometry_text(made), "; import it with --encoded");
}

std::string default_eval_split(const Dataset& data) {
  const std::vector<std::string> names = data.split_names();
  for (const char* name : {"test", "val", "train"}) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  }
  if (names.empty()) fail(ErrorKind::data, "[evaluate] the data set has no split");
  return names.front();
}

Evaluation evaluate_split(Engine& engine, const Pipeline& pipeline, std::shared_ptr<const Split> split,
                          const std::vector<int32_t>& classes, const std::vector<std::string>& class_names,
                          const EvaluateOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const int64_t total = split->size();
  const int64_t model_classes = engine.config().classes;
  LoaderOptions loading;
  loading.batch =
      std::min(options.batch > 0 ? options.batch : default_batch(engine.config()), std::max<int64_t>(1, total));
  Loader loader(split, pipeline, loading);
  AlignedBuffer<float> logits(loading.batch * model_classes);
  Tally tally(*split, classes, model_classes);
  int64_t done = 0;
  while (const Batch* batch = loader.next()) {
    EngineOutputs outputs;
    outputs.logits = TensorView<float>(logits.data(), {batch->size, model_classes});
    if (batch->size > 0)
      engine.run(
          TensorView<const float>(batch->patches.data(), {batch->size, pipeline.patches(), pipeline.patch_dim()}),
          outputs);
    tally.add(*batch, outputs.logits);
    if (options.observe) options.observe(*batch, outputs.logits);
    done += batch->size + static_cast<int64_t>(batch->unreadable.size());
    if (options.progress) options.progress(done, total);
  }
  Evaluation result = tally.finish();
  result.class_names = names_or_indices(class_names, model_classes);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (result.seconds > 0) result.images_per_second = static_cast<double>(result.images) / result.seconds;
  return result;
}

Evaluation evaluate(Classifier& classifier, const Dataset& data, const std::string& split,
                    const EvaluateOptions& options) {
  const Model& model = classifier.model();
  const std::shared_ptr<const Split> pictures = data.split(split);
  if (!pictures)
    fail(ErrorKind::usage, "[evaluate] split '", split, "': the data set has ", joined(data.split_names()));
  const std::vector<int32_t> classes = match_classes(model, data.class_names());
  check_geometry(classifier.pipeline().config(), data);
  const std::vector<std::string>& names = model.class_names.empty() ? data.class_names() : model.class_names;
  Evaluation result = evaluate_split(classifier.engine(), classifier.pipeline(), pictures, classes, names, options);
  result.split = split;
  return result;
}

}  // namespace vit
