// Stochastic gradient descent with momentum, as torch.optim.SGD: weight decay is added to the gradients.
#include "vit/kernels/sgd.h"
#include "train/rules/update_rule.h"
#include "vit/core/error.h"

namespace vit {
namespace {

class Sgd : public UpdateRule {
 public:
  explicit Sgd(const TrainConfig& config)
      : step_{.momentum = config.momentum, .nesterov = config.nesterov}, weight_decay_(config.weight_decay) {
    if (config.nesterov && !(config.momentum > 0))
      fail(ErrorKind::usage, "[train_config] nesterov: needs a momentum above 0, has ", config.momentum);
  }

  std::vector<std::string> state_names() const override {
    return step_.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
  }

  void update(const UpdateStep& step, const UpdatePiece& piece) const override {
    SgdStep own = step_;
    own.lr = step.lr;
    own.grad_scale = step.grad_scale;
    own.weight_decay = piece.parameter.role.decay ? weight_decay_ : 0;
    sgd_update(own, piece.gradients, piece.count, piece.weights, piece.states[0]);
  }

 private:
  SgdStep step_;
  float weight_decay_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(const TrainConfig& config) { return std::make_unique<Sgd>(config); }

}  // namespace vit
