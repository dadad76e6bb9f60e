// AdamW over a block of parameters: global norm, clipping, and no step when the gradients are not finite.
#pragma once

#include <cstdint>
#include <vector>

#include "train/config.h"
#include "vit/layers/parameter.h"

namespace vit {

struct OptimizerOptions {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0;  // of the parameters that the layout marks, the others have none
  float clip_norm = 0;     // 0 = no clipping
};

struct OptimizerState {
  ParameterBlock m;
  ParameterBlock v;
  int64_t updates = 0;  // made so far; a skipped step is none
};

struct OptimizerReport {
  double norm = 0;      // of all gradients, before clipping
  bool applied = true;  // false: the norm is not finite, nothing was changed
};

/// Cuts the block into pieces of fixed size, so the bits do not depend on the number of threads.
class Optimizer {
 public:
  Optimizer(const ParameterLayout& layout, const OptimizerOptions& options);

  OptimizerState make_state() const;
  /// One step with gradients * grad_scale. Clips as torch.nn.utils.clip_grad_norm_ does: by
  /// min(1, clip_norm / (norm + 1e-6)).
  OptimizerReport step(float lr, float grad_scale, const ParameterBlock& gradients, ParameterBlock& weights,
                       OptimizerState& state) const;

 private:
  struct Piece {
    int64_t offset = 0;
    int64_t count = 0;
    bool decay = false;
  };

  OptimizerOptions options_;
  int64_t block_size_;
  std::vector<Piece> pieces_;
};

/// The 2-norm of all of the block: sums in double, in a fixed order.
double global_norm(const ParameterBlock& block);
/// Sets all of the block to zero.
void clear(ParameterBlock& block);

}  // namespace vit
