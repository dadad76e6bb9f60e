#include "train/objective.h"

#include "vit/core/error.h"
#include "vit/core/word_rows.h"

namespace vit {

std::shared_ptr<const Objective> make_cross_entropy(const TrainConfig& config);
std::shared_ptr<const Objective> make_binary_cross_entropy(const TrainConfig& config);

namespace {

constexpr ObjectiveEntry kObjectives[] = {
    {"cross_entropy", make_cross_entropy},
    {"binary_cross_entropy", make_binary_cross_entropy},
};

}  // namespace

Targets Targets::from(int64_t begin) const {
  Targets rest = *this;
  if (labels != nullptr) rest.labels = labels + begin;
  if (second != nullptr) rest.second = second + begin;
  if (share != nullptr) rest.share = share + begin;
  if (soft) rest.soft = soft.slice(begin, soft.rows() - begin);
  return rest;
}

std::vector<std::string> objective_words() { return row_words(kObjectives); }

std::shared_ptr<const Objective> make_objective(const TrainConfig& config) {
  return row_of(kObjectives, config.objective, "[train_config] objective:").make(config);
}

void check_targets(const Targets& targets, int64_t rows, int64_t classes) {
  if (!targets.given())
    fail(ErrorKind::internal, "[objective] targets: need labels or shares of the classes, have none");
  if (targets.soft) {
    if (targets.soft.rows() < rows || targets.soft.cols() != classes)
      fail(ErrorKind::internal, "[objective] shares of classes: need ", rows, " x ", classes, ", have ",
           targets.soft.rows(), " x ", targets.soft.cols());
    return;
  }
  if (targets.second != nullptr && targets.share == nullptr)
    fail(ErrorKind::internal, "[objective] second labels need the shares of the first");
  for (const int32_t* labels : {targets.labels, targets.second}) {
    if (labels == nullptr) continue;
    for (int64_t row = 0; row < rows; ++row)
      if (labels[row] < 0 || labels[row] >= classes)
        fail(ErrorKind::internal, "[objective] label of row ", row, ": needs 0 to ", classes - 1, ", has ",
             labels[row]);
  }
}

}  // namespace vit
