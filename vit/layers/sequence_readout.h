// Attention pooling over the tokens: norm, a score a token, their softmax-weighted sum, Linear. Hassani et al.,
// arXiv:2104.05704.
#pragma once

#include <memory>
#include <optional>

#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
#include "vit/layers/readout.h"

namespace vit {

class SequenceReadout final : public Readout {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;  // 0 = no Linear, the features come out
  };
  /// Registers norm, attention_pool [1, D] and head.
  SequenceReadout(Registry& registry, const Options& options, const MakeNorm& norm);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features; }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens& tokens) const override {
    return scores_.flops(tokens.count()) + (linear_ ? linear_->flops(1) : 0);
  }

 private:
  struct Saved {
    Norm::Saved norm;
    TensorView<float> normed;    // [M, D]
    TensorView<float> shares;    // [M, 1], 0 for tokens that do not count
    TensorView<float> features;  // [B, D]
    // Of backward; null in inference.
    TensorView<float> dfeatures;  // [B, D]
    TensorView<float> dscores;    // [M, 1]
    TensorView<float> dnormed;    // [M, D]
  };

  Options options_;
  std::unique_ptr<Norm> norm_;
  Linear scores_;
  std::optional<Linear> linear_;
};

}  // namespace vit
