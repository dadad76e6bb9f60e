// AdamW: Loshchilov and Hutter, arXiv:1711.05101.
#include "vit/kernels/adamw.h"
#include "train/rules/update_rule.h"

namespace vit {
namespace {

class Adamw : public UpdateRule {
 public:
  explicit Adamw(const TrainConfig& config)
      : step_{.beta1 = config.beta1, .beta2 = config.beta2, .eps = config.adam_eps},
        weight_decay_(config.weight_decay) {}

  std::vector<std::string> state_names() const override { return {"m", "v"}; }

  void update(const UpdateStep& step, const UpdatePiece& piece) const override {
    AdamwStep own = step_;
    own.lr = step.lr;
    own.grad_scale = step.grad_scale;
    own.step = step.update;
    own.weight_decay = piece.parameter.role.decay ? weight_decay_ : 0;
    adamw_update(own, piece.gradients, piece.count, piece.weights, piece.states[0], piece.states[1]);
  }

 private:
  AdamwStep step_;
  float weight_decay_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_adamw(const TrainConfig& config) { return std::make_unique<Adamw>(config); }

}  // namespace vit
