// Each class a question of its own, as timm's BinaryCrossEntropy asks it: the mean over the classes of
// torch.nn.functional.binary_cross_entropy_with_logits, with smoothed targets (1 - s) share + s / C
// (Wightman et al., "ResNet strikes back", arXiv:2110.00476).
#include <algorithm>
#include <cmath>

#include "train/objective.h"

namespace vit {
namespace {

class BinaryCrossEntropy : public Objective {
 public:
  explicit BinaryCrossEntropy(float label_smoothing) : smoothing_(static_cast<double>(label_smoothing)) {}

  void run(TensorView<const float> logits, const Targets& targets, float scale, float* losses,
           TensorView<float> dlogits) const override {
    check_targets(targets, logits.rows(), logits.cols());
    const int64_t classes = logits.cols();
    const double of_class = 1.0 / static_cast<double>(classes);
    for (int64_t row = 0; row < logits.rows(); ++row) {
      double loss = 0;
      for (int64_t c = 0; c < classes; ++c) {
        const auto x = static_cast<double>(logits(row, c));
        const double target = (1 - smoothing_) * share_of(targets, row, c) + smoothing_ * of_class;
        const double small = std::exp(-std::abs(x));
        loss += std::max(x, 0.0) - x * target + std::log1p(small);
        const double sigmoid = x >= 0 ? 1 / (1 + small) : small / (1 + small);
        if (dlogits) dlogits(row, c) = static_cast<float>(static_cast<double>(scale) * of_class * (sigmoid - target));
      }
      losses[row] = static_cast<float>(loss * of_class);
    }
  }

 private:
  static double share_of(const Targets& targets, int64_t row, int64_t c) {
    if (targets.soft) return static_cast<double>(targets.soft(row, c));
    if (targets.second == nullptr) return targets.labels[row] == c ? 1 : 0;
    const auto first = static_cast<double>(targets.share[row]);
    return (targets.labels[row] == c ? first : 0) + (targets.second[row] == c ? 1 - first : 0);
  }

  double smoothing_;
};

}  // namespace

std::shared_ptr<const Objective> make_binary_cross_entropy(const TrainConfig& config) {
  return std::make_shared<BinaryCrossEntropy>(config.label_smoothing);
}

}  // namespace vit
