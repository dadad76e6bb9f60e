// The class token or the mean of the grid's tokens, norm, Linear. With the class token the norm commutes with picking
// its row, so it runs on the pooled rows only ("norm"); mean pooling norms after the mean, as timm does ("fc_norm").
#pragma once

#include <memory>
#include <optional>

#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
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
  /// Registers norm or fc_norm, and head.
  PooledReadout(Registry& registry, const Options& options, const MakeNorm& norm);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features; }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens&) const override { return linear_ ? linear_->flops(1) : 0; }

 private:
  struct Saved {
    TensorView<float> pooled;  // [B, D]
    Norm::Saved norm;
    TensorView<float> features;   // [B, D], after the norm
    TensorView<float> dfeatures;  // [B, D] of backward; null in inference
  };
  void pool(TensorView<const float> x, const Shard& shard, TensorView<float> pooled) const;

  Options options_;
  std::unique_ptr<Norm> norm_;
  std::optional<Linear> linear_;
};

}  // namespace vit
