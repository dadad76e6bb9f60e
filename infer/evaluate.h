// A model against labelled pictures.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "infer/classifier.h"
#include "infer/metrics.h"

namespace vit {

/// One picture's answer; classes are the model's.
struct ImageAnswer {
  int64_t index = 0;  // in the split
  int32_t label = 0;
  int32_t predicted = 0;
  float probability = 0;  // of the predicted class
  int64_t rank = 0;       // of the label among the answers; 0 = right
  std::string path;       // empty when the data set does not know it
};

struct Evaluation {
  std::string split;
  std::vector<std::string> class_names;     // in the model's order; indices as text where nobody has names
  int64_t images = 0;                       // answered, without the unreadable ones
  std::vector<UnreadableImage> unreadable;  // by index
  int64_t left_out = 0;                     // pictures of classes that the model does not know
  std::vector<std::string> unknown_classes;
  double top1 = 0;
  double top5 = 0;  // over all classes when there are fewer than five
  double loss = 0;  // mean cross-entropy, no smoothing
  Scores scores;
  std::vector<ImageAnswer> answers;  // by index
  double seconds = 0;
  double images_per_second = 0;
};

struct EvaluateOptions {
  int64_t batch = 0;                                            // pictures at a time; 0 = chosen from the model's size
  std::function<void(int64_t done, int64_t total)> progress{};  // after each batch
  std::function<void(const Batch& batch, TensorView<const float> logits)> observe{};  // [B, C] of each batch
};

/// Checks that the data fits the model (match_classes, check_geometry), then runs the pictures of the split whose
/// classes the model knows through it. Throws Error.
Evaluation evaluate(Classifier& classifier, const Dataset& data, const std::string& split,
                    const EvaluateOptions& options = {});

/// The loop without the checks, for callers that hold a model under training: label l of the split is class
/// `classes[l]` of the model. `class_names` are the model's, one a class, or empty.
Evaluation evaluate_split(Engine& engine, const Pipeline& pipeline, std::shared_ptr<const Split> split,
                          const std::vector<int32_t>& classes, const std::vector<std::string>& class_names,
                          const EvaluateOptions& options = {});

/// The model's class of each class of the data, -1 where it has none: by name where the model has names, else by index.
/// Classes without pictures are told through the log. Throws Error (data) when no class is in both, or when a model
/// without names has another number of classes.
std::vector<int32_t> match_classes(const Model& model, const std::vector<std::string>& data_names);

/// The pictures of classes that the model knows.
struct KnownPictures {
  std::shared_ptr<const Split> split;
  std::vector<int64_t> indices;  // of each of its pictures in the whole split
  int64_t left_out = 0;
  std::vector<std::string> unknown_classes;  // of what was left out
};
/// What is left out is counted and named through the log. `classes` are those of match_classes. Throws Error (data)
/// when nothing is left.
KnownPictures known_pictures(std::shared_ptr<const Split> split, const std::vector<int32_t>& classes,
                             const std::vector<std::string>& data_names);

/// Pictures that were resized when the data set was made must have been made by the model's own rule: another size,
/// crop or filter is an Error (data). Pictures as their authors made them fit any model.
void check_geometry(const PreprocessConfig& model, const Dataset& data);

/// The split to evaluate when none is named: test, else val, else train, else the only one.
std::string default_eval_split(const Dataset& data);

}  // namespace vit
