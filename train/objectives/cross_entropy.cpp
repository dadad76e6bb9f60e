// Cross-entropy of the softmax with label smoothing, for labels, pairs of labels and shares of the classes.
#include "train/objective.h"
#include "vit/kernels/softmax_loss.h"

namespace vit {
namespace {

class CrossEntropy : public Objective {
 public:
  explicit CrossEntropy(float label_smoothing) : smoothing_(label_smoothing) {}

  void run(TensorView<const float> logits, const Targets& targets, float scale, float* losses,
           TensorView<float> dlogits) const override {
    check_targets(targets, logits.rows(), logits.cols());
    if (targets.soft)
      cross_entropy_soft(logits, targets.soft.slice(0, logits.rows()), smoothing_, scale, losses, dlogits);
    else if (targets.second != nullptr)
      cross_entropy(logits, {targets.labels, targets.second, targets.share}, smoothing_, scale, losses, dlogits);
    else
      cross_entropy(logits, targets.labels, smoothing_, scale, losses, dlogits);
  }

 private:
  float smoothing_;
};

}  // namespace

std::shared_ptr<const Objective> make_cross_entropy(const TrainConfig& config) {
  return std::make_shared<CrossEntropy>(config.label_smoothing);
}

}  // namespace vit
