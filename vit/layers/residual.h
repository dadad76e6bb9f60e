// What stands between a branch and the residual stream: layer scale (Touvron et al., arXiv:2103.17239) and
// stochastic depth. y = x + drop_path(gamma * branch).
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class Residual {
 public:
  struct Options {
    int64_t width = 0;
    bool layer_scale = false;
    float layer_scale_init = 1e-5f;
    float drop_path_share = 0;  // of Regularization::drop_path, 0 at the first block and 1 at the last
    int drop_path_site = 0;
  };
  /// Registers `<name>.gamma` [D] with layer scale.
  Residual(Registry& registry, const std::string& name, const Options& options);

  void pack(const Packing& packing);
  /// [D], for the product before it to multiply by in inference; null without layer scale.
  const float* gamma() const { return gamma_.size() > 0 ? gamma_.data() : nullptr; }

  /// The branch before layer scale [M, D]; null without.
  struct Saved {
    TensorView<float> branch;
  };
  Saved plan(Arena& arena, int64_t rows) const;

  /// y = x + branch, where y holds the branch.
  void forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> y) const;
  /// Gradient of the branch from dy: dy itself where nothing stands between, else written to `scratch`. Dropout
  /// inside the branch changes its gradient in place, which dy must not see: `branch_changes` asks for a copy.
  TensorView<float> backward(TensorView<float> dy, const Saved& saved, const Shard& shard, const Gradients& gradients,
                             TensorView<float> scratch, bool branch_changes) const;

 private:
  bool layer_scale() const { return gamma_index_ >= 0; }
  float drop_path_rate(const Shard& shard) const { return shard.regularization.drop_path * options_.drop_path_share; }

  Options options_;
  int gamma_index_ = -1;
  int section_ = -1;
  AlignedBuffer<float> gamma_;
};

}  // namespace vit
