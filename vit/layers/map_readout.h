// All tokens normed, pooled by attention, Linear.
#pragma once

#include <memory>
#include <optional>

#include "vit/layers/attention_pool.h"
#include "vit/layers/readout.h"

namespace vit {

class MapReadout final : public Readout {
 public:
  struct Options {
    int64_t classes = 0;  // 0 = no Linear, the features come out
    AttentionPool::Options pool = {};
  };
  /// Registers norm (a null `final_norm`: none), attn_pool with the norm of `pool_norm`, and head.
  MapReadout(Registry& registry, const Options& options, const MakeNorm& final_norm, const MakeNorm& pool_norm);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features; }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens& tokens) const override { return pool_.flops(tokens) + (linear_ ? linear_->flops(1) : 0); }

 private:
  struct Saved {
    Norm::Saved norm;
    TensorView<float> normed;  // [M, D]; null without a norm
    State pool;
    TensorView<float> features;   // [B, D]
    TensorView<float> dfeatures;  // [B, D] of backward; null in inference
  };

  int64_t width_;
  std::unique_ptr<Norm> norm_;
  AttentionPool pool_;
  std::optional<Linear> linear_;
};

}  // namespace vit
