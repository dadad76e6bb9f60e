// Pictures in, labels out: the library in a user's own program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "preprocess/image.h"
#include "preprocess/pipeline.h"

namespace vit {

struct Prediction {
  std::string label;  // class name, or the index as text when the model has no names
  int64_t index = 0;
  float probability = 0;
};

struct ClassifyOptions {
  int64_t top_k = 5;
};

/// Config, weights, class names and preprocessing all come from the model file.
class Classifier {
 public:
  static Classifier open(const std::filesystem::path& model, const EngineOptions& options = {});
  /// `where` is the file for messages.
  Classifier(OpenModel model, const std::string& where, const EngineOptions& options = {});
  explicit Classifier(const Model& model, const EngineOptions& options = {});
  ~Classifier();
  Classifier(Classifier&&) noexcept;

  /// All but the weights, which the engine holds.
  const Model& model() const;
  const Pipeline& pipeline() const;
  Engine& engine();

  /// The most probable classes, best first. A bare cv::Mat is BGR, as cv::imread gives it, an Image holds RGB. Throws
  /// Error (usage) where there is no picture in it.
  std::vector<Prediction> classify(const cv::Mat& bgr, const ClassifyOptions& options = {});
  std::vector<Prediction> classify(const Image& image, const ClassifyOptions& options = {});

 private:
  struct Impl;
  explicit Classifier(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The `top_k` largest of softmax(logits [C]), best first, ties by index. Throws
/// Error (data) when a logit is not finite.
std::vector<Prediction> top_predictions(const float* logits, int64_t classes, int64_t top_k,
                                        const std::vector<std::string>& class_names);

}  // namespace vit
