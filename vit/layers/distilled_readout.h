// The class token and the distillation token behind it: norm, a Linear each, the mean of their logits. Touvron et al.,
// arXiv:2012.12877.
#pragma once

#include <memory>
#include <optional>

#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
#include "vit/layers/readout.h"

namespace vit {

class DistilledReadout final : public Readout {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;  // 0 = no Linears, the features come out
  };
  /// Registers norm (a null `norm`: none), head and head_dist.
  DistilledReadout(Registry& registry, const Options& options, const MakeNorm& norm);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  /// The mean of the two normed tokens, as timm gives it.
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features; }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens&) const override { return head_ ? 2 * head_->flops(1) : 0; }

 private:
  struct Saved {
    TensorView<float> tokens;  // [2B, D]: the class tokens, then the others
    Norm::Saved norm;
    TensorView<float> normed;    // [2B, D]
    TensorView<float> features;  // [B, D]
    // Of backward; null in inference.
    TensorView<float> half;     // [B, C], the part of each head in dlogits
    TensorView<float> dnormed;  // [2B, D]
  };

  Options options_;
  std::unique_ptr<Norm> norm_;
  std::optional<Linear> head_, head_dist_;
};

}  // namespace vit
