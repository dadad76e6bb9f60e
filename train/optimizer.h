// One step of all weights by the update rule that the config names (train/rules): global norm, clipping, and no step
// when the gradients are not finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"
#include "train/rules/update_rule.h"
#include "vit/layers/parameter.h"

namespace vit {

/// What a rule keeps from step to step.
struct OptimizerState {
  struct Block {
    std::string name;
    ParameterBlock values;
  };
  std::vector<Block> blocks;  // in the order of the rule's names
  int64_t updates = 0;        // made so far; a skipped step is none

  /// Throws Error (internal) when there is none of that name.
  const ParameterBlock& block(std::string_view name) const;
};

struct OptimizerReport {
  double norm = 0;      // of the gradients, before clipping
  bool applied = true;  // false: the norm is not finite, nothing was changed
};

/// Changes the parameters that are trainable; the norm is that of their gradients. Cuts the block into pieces of fixed
/// size, so the bits do not depend on the number of threads.
class Optimizer {
 public:
  /// Reads of the config the rule with its options, weight_decay and clip_norm. Throws Error (usage) for a rule that
  /// does not exist, or options that it cannot have.
  Optimizer(const ParameterLayout& layout, const TrainConfig& config);

  OptimizerState make_state() const;
  /// One step with gradients * grad_scale. Clips as torch.nn.utils.clip_grad_norm_ does: by
  /// min(1, clip_norm / (norm + 1e-6)).
  OptimizerReport step(float lr, float grad_scale, const ParameterBlock& gradients, ParameterBlock& weights,
                       OptimizerState& state) const;

 private:
  struct Piece {
    std::size_t parameter;
    int64_t begin;  // of its numbers
    int64_t count;
  };

  double norm_of_trainable(const ParameterBlock& gradients) const;

  std::unique_ptr<UpdateRule> rule_;
  std::vector<std::string> states_;
  float clip_norm_;
  int64_t block_size_;
  std::vector<Parameter> parameters_;
  std::vector<Piece> pieces_;
};

/// The 2-norm of all of the block: sums in double, in a fixed order.
double global_norm(const ParameterBlock& block);
/// Sets all of the block to zero.
void clear(ParameterBlock& block);

}  // namespace vit
