// The class token or the mean of the grid's tokens, norm, Linear. The norm stands before the pooling ("norm") or behind
// it ("fc_norm"). It works row by row, so that of the class token runs on the pooled rows only, wherever it stands.
#pragma once

#include <optional>

#include "vit/layers/final_norm.h"
#include "vit/layers/linear.h"
#include "vit/layers/readout.h"

namespace vit {

enum class Pooling {
  class_token,
  mean,  // over the tokens of the grid
};

class PooledReadout final : public Readout {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;                     // 0 = no Linear, the features come out
    Pooling pooling = Pooling::class_token;  // reads the first tokens alone; mean reads all
  };
  /// Registers norm, fc_norm or neither, and head.
  PooledReadout(Registry& registry, const Options& options, const FinalNorms& norms);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features(); }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens&) const override { return linear_ ? linear_->flops(1) : 0; }

 private:
  struct Saved {
    OptionalNorm::Saved tokens;   // [M, D]
    TensorView<float> pooled;     // [B, D]
    OptionalNorm::Saved norm;     // [B, D]
    TensorView<float> dfeatures;  // [B, D] of backward; null in inference

    TensorView<float> features() const { return norm.y ? norm.y : pooled; }
  };
  void pool(TensorView<const float> x, const Shard& shard, TensorView<float> pooled) const;

  Options options_;
  OptionalNorm tokens_norm_;  // of all tokens, where their mean is taken
  OptionalNorm pooled_norm_;
  std::optional<Linear> linear_;
};

}  // namespace vit
