#include "infer/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

#include "datasets/subset.h"
#include "infer/class_match.h"
#include "infer/classify_files.h"
#include "vit/core/json_text.h"
#include "vit/core/log.h"
#include "vit/kernels/softmax_loss.h"

namespace vit {
namespace {

std::string geometry_text(const PreprocessConfig& config) {
  nlohmann::json json = to_json(config);
  json.erase("mean");
  json.erase("std");
  json.erase("exif_rotate");
  json.erase("decoding");
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
  if (model.class_names.empty()) {
    if (static_cast<int64_t>(data_names.size()) != classes)
      fail(ErrorKind::data, "[evaluate] the model has ", classes, " classes without names, the data has ",
           data_names.size(), ": nothing tells which are the same");
    log(LogLevel::info, "the model has no class names: its classes are taken to be those of the data, in their order");
    std::vector<int32_t> places(data_names.size());
    std::iota(places.begin(), places.end(), 0);
    return places;
  }
  const ClassMatch match = match_names(data_names, model.class_names);
  if (!match.any())
    fail(ErrorKind::data,
         "[evaluate] data and model have no class in common; only in the data: ", some_names(match.missing),
         "; only in the model: ", some_names(match.unused));
  if (!match.unused.empty())
    log(LogLevel::info, concat("the data has no pictures of ", match.unused.size(), " of the model's ", classes,
                               " classes: ", some_names(match.unused)));
  return match.places;
}

KnownPictures known_pictures(std::shared_ptr<const Split> split, const std::vector<int32_t>& classes,
                             const std::vector<std::string>& data_names) {
  KnownPictures known;
  std::vector<bool> unknown(data_names.size());
  for (int64_t i = 0; i < split->size(); ++i) {
    const auto label = static_cast<std::size_t>(split->label(i));
    if (label >= classes.size() || classes[label] >= 0) {  // the loop over the pictures names labels out of range
      known.indices.push_back(i);
      continue;
    }
    unknown[label] = true;
    ++known.left_out;
  }
  known.split = std::move(split);
  if (known.left_out == 0) return known;
  for (std::size_t c = 0; c < unknown.size(); ++c)
    if (unknown[c]) known.unknown_classes.push_back(data_names[c]);
  const std::string text = concat(known.left_out, known.left_out == 1 ? " picture" : " pictures",
                                  " of classes that the model does not know: ", some_names(known.unknown_classes));
  if (known.indices.empty()) fail(ErrorKind::data, "[evaluate] the split has nothing but ", text);
  log(LogLevel::warning, concat("left out: ", text));
  known.split = subset(std::move(known.split), known.indices);
  return known;
}

void check_geometry(const PreprocessConfig& model, const Dataset& data) {
  if (const auto imported = data.exif_rotate(); imported && *imported != model.exif_rotate)
    log(LogLevel::warning, concat("the data set was imported ", *imported ? "with" : "without",
                                  " --exif-rotate, the model was trained ", *imported ? "without" : "with",
                                  " it: pixels stay as they are stored, files (--encoded) are read as the model says"));
  const nlohmann::json stored = data.preprocess();
  if (stored.is_null()) return;
  const PreprocessConfig made = preprocess_config_from_json(stored, "the data set");
  if (made.decoding != model.decoding)
    log(LogLevel::info,
        concat("the data set was imported with decoding ", word_of(made.decoding), ", the model wants ",
               word_of(model.decoding), ": gray pictures of more than 8 bits, if there were any, differ"));
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
      engine.run_batch(
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
  check_geometry(classifier.pipeline().config(), data);
  const std::vector<int32_t> classes = match_classes(model, data.class_names());
  const KnownPictures known = known_pictures(pictures, classes, data.class_names());
  const std::vector<std::string>& names = model.class_names.empty() ? data.class_names() : model.class_names;
  Evaluation result = evaluate_split(classifier.engine(), classifier.pipeline(), known.split, classes, names, options);
  for (ImageAnswer& answer : result.answers) answer.index = known.indices[static_cast<std::size_t>(answer.index)];
  for (UnreadableImage& image : result.unreadable) image.index = known.indices[static_cast<std::size_t>(image.index)];
  result.left_out = known.left_out;
  result.unknown_classes = known.unknown_classes;
  result.split = split;
  return result;
}

}  // namespace vit
