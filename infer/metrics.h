// How good predictions are: accuracy, precision, recall, F1 and the confusion matrix, as scikit-learn defines them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vit {

/// A rate whose denominator is zero is 0.
struct ClassScore {
  int64_t images = 0;     // of this class (support)
  int64_t predicted = 0;  // times that this class was the answer
  int64_t correct = 0;
  double precision = 0;  // correct / predicted
  double recall = 0;     // correct / images
  double f1 = 0;
};

struct Scores {
  int64_t images = 0;
  int64_t correct = 0;
  double accuracy = 0;
  std::vector<ClassScore> classes;
  /// Means over all classes, each with the same weight.
  double macro_precision = 0;
  double macro_recall = 0;
  double macro_f1 = 0;
  /// [C, C] counts, rows are the true classes; empty when there are more than kMaxConfusionClasses.
  std::vector<int64_t> confusion;
};

inline constexpr int64_t kMaxConfusionClasses = 4096;

/// labels and predicted have one entry a picture, each in [0, classes). Throws Error otherwise.
Scores score(std::span<const int32_t> labels, std::span<const int32_t> predicted, int64_t classes);

/// How many classes come before `label` when the logits are ordered best first, ties by index: 0 = the answer,
/// less than k = right at top-k.
int64_t rank_of(std::span<const float> logits, int64_t label);

}  // namespace vit
