#include "infer/classifier.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace vit {
namespace {

void check_parts(const Model& model, const PreprocessConfig& preprocess, const std::string& where) {
  const ModelConfig& config = model.config;
  if (preprocess.size != config.image_size)
    fail(ErrorKind::data, "[classifier] preprocess.size: needs ", config.image_size, " (the model's image_size), has ",
         preprocess.size, " (", where, ")");
  if (config.channels != 3)
    fail(ErrorKind::data, "[classifier] channels: needs 3 (RGB pictures), has ", config.channels, " (", where, ")");
  const auto names = static_cast<int64_t>(model.class_names.size());
  if (names != 0 && names != config.classes)
    fail(ErrorKind::data, "[classifier] class_names: needs ", config.classes, " (the model's classes), has ", names,
         " (", where, ")");
}

Pipeline make_pipeline(const Model& model, const std::string& where) {
  const PreprocessConfig preprocess = preprocess_config_from_json(model.preprocess, where);
  check_parts(model, preprocess, where);
  return Pipeline(preprocess, model.config.input_patch());
}

/// All but the weights copied; those are read where they lie.
OpenModel in_memory(const Model& model) {
  Model copy;
  copy.config = model.config;
  copy.preprocess = model.preprocess;
  copy.class_names = model.class_names;
  copy.origin = model.origin;
  copy.training = model.training;
  copy.layout = model.layout;
  copy.quantization = model.quantization;
  return {std::move(copy), block_source(model.layout, model.weights)};
}

}  // namespace

struct Classifier::Impl {
  Impl(OpenModel source, const EngineOptions& options, const std::string& where)
      : model(std::move(source.model)),
        pipeline(make_pipeline(model, where)),
        engine(model, source.weights, options),
        patches(pipeline.patches() * pipeline.patch_dim()),
        logits(model.config.classes) {}

  Model model;  // without weights: the engine has them
  Pipeline pipeline;
  Engine engine;
  AlignedBuffer<float> patches;  // of one picture
  AlignedBuffer<float> logits;
};

Classifier Classifier::open(const std::filesystem::path& model, const EngineOptions& options) {
  return Classifier(open_model(model), model.string(), options);
}

Classifier::Classifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Classifier::Classifier(OpenModel model, const std::string& where, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options, where)) {}
Classifier::Classifier(const Model& model, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(in_memory(model), options, "a model in memory")) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;

const Model& Classifier::model() const { return impl_->model; }
const Pipeline& Classifier::pipeline() const { return impl_->pipeline; }
Engine& Classifier::engine() { return impl_->engine; }

std::vector<Prediction> Classifier::classify(const cv::Mat& bgr, const ClassifyOptions& options) {
  return classify(image_from_bgr(bgr), options);
}

std::vector<Prediction> Classifier::classify(const Image& image, const ClassifyOptions& options) {
  const int64_t classes = impl_->model.config.classes;
  if (classes == 0) fail(ErrorKind::usage, "[classifier] the model has no head: it gives features, not classes");
  const int64_t patches = impl_->pipeline.patches();
  const int64_t patch_dim = impl_->pipeline.patch_dim();
  impl_->pipeline.prepare(image, TensorView<float>(impl_->patches.data(), {patches, patch_dim}));
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(impl_->logits.data(), {1, classes});
  impl_->engine.run(TensorView<const float>(impl_->patches.data(), {1, patches, patch_dim}), outputs);
  return top_predictions(impl_->logits.data(), classes, options.top_k, impl_->model.class_names);
}

std::vector<Prediction> top_predictions(const float* logits, int64_t classes, int64_t top_k,
                                        const std::vector<std::string>& class_names) {
  if (top_k < 1) fail(ErrorKind::usage, "[classifier] top_k: needs at least 1, has ", top_k);
  if (!std::all_of(logits, logits + classes, [](float x) { return std::isfinite(x); }))
    fail(ErrorKind::data, "[classifier] the model's output is not finite; are its weights those of a diverged run?");
  const int64_t count = std::min(top_k, classes);
  std::vector<int64_t> order(static_cast<std::size_t>(classes));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int64_t a, int64_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  order.resize(static_cast<std::size_t>(count));

  std::vector<Prediction> top;
  if (order.empty()) return top;
  const double largest = static_cast<double>(logits[order.front()]);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits[c]) - largest);
  for (int64_t c : order) {
    Prediction p;
    p.label = class_names.empty() ? std::to_string(c) : class_names[static_cast<std::size_t>(c)];
    p.index = c;
    p.probability = static_cast<float>(std::exp(static_cast<double>(logits[c]) - largest) / sum);
    top.push_back(std::move(p));
  }
  return top;
}

}  // namespace vit
