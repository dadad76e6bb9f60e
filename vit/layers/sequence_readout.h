// Attention pooling over the tokens: norm, a score a token, their softmax-weighted sum, Linear. Hassani et al.,
// arXiv:2104.05704. The norm may also stand behind the sum, or be absent.
#pragma once

#include <optional>

#include "vit/layers/final_norm.h"
#include "vit/layers/linear.h"
#include "vit/layers/readout.h"

namespace vit {

class SequenceReadout final : public Readout {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;  // 0 = no Linear, the features come out
  };
  /// Registers norm, attention_pool [1, D], fc_norm and head, of the norms those that the model has.
  SequenceReadout(Registry& registry, const Options& options, const FinalNorms& norms);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features(); }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens& tokens) const override {
    return scores_.flops(tokens.count()) + (linear_ ? linear_->flops(1) : 0);
  }

 private:
  struct Saved {
    OptionalNorm::Saved tokens;  // [M, D]
    TensorView<float> shares;    // [M, 1], 0 for tokens that do not count
    TensorView<float> pooled;    // [B, D]
    OptionalNorm::Saved norm;    // [B, D]
    // Of backward; null in inference.
    TensorView<float> dfeatures;  // [B, D]
    TensorView<float> dscores;    // [M, 1]

    TensorView<float> features() const { return norm.y ? norm.y : pooled; }
  };

  Options options_;
  OptionalNorm tokens_norm_;
  Linear scores_;
  OptionalNorm pooled_norm_;
  std::optional<Linear> linear_;
};

}  // namespace vit
