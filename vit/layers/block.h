// Pre-norm Transformer block: x += mixer(norm1(x)); x += feed_forward(norm2(x)).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vit/layers/feed_forward.h"
#include "vit/layers/mixer.h"
#include "vit/layers/norm.h"
#include "vit/layers/residual.h"
#include "vit/layers/stage.h"

namespace vit {

/// What a block is put together from.
struct BlockParts {
  MakeNorm norm;
  std::function<std::unique_ptr<Mixer>(Registry& registry, const std::string& name, const MixerPlace& place)> mixer;
  /// `dropout_site`: the first of two.
  std::function<std::unique_ptr<FeedForward>(Registry& registry, const std::string& name, int dropout_site)>
      feed_forward;
};

class Block final : public Stage {
 public:
  struct Options {
    int64_t width = 0;
    Tokens tokens = {};
    bool layer_scale = false;
    float layer_scale_init = 1e-5f;
    bool class_row = false;  // only the class token leaves the block: nobody reads the others after the last one
    int64_t index = 0;       // of `depth` blocks
    int64_t depth = 1;
  };
  /// Registers `<name>.norm1`, attn, ls1, norm2, mlp and ls2.
  Block(Registry& registry, const std::string& name, const Options& options, const BlockParts& parts);

  void pack(const Packing& packing) override;
  Shard leaving(const Shard& in) const override { return options_.class_row ? in.class_tokens() : in; }
  bool in_place() const override { return !options_.class_row; }

  /// What the mixer projects.
  Matrix plan_shared(Arena& arena, const Shard& largest) const override;
  State plan_scratch(Arena& arena, const Shard& largest, bool training) const override;
  void begin(TensorView<const float> x, const Shard& shard, Matrix shared, const State& scratch) const override;
  void end(TensorView<float> x, const Shard& shard, ConstMatrix shared, const State& scratch,
           TensorView<float> out) const override;

  /// With Recompute::attention the mixer's state, with Recompute::block all but the stream after the block.
  State plan_recomputed(Arena& arena, const Shard& largest, Recompute recompute) const override;
  State plan(Arena& arena, const Shard& largest, Recompute recompute, const State& recomputed) const override;
  void forward_train(TensorView<const float> x, const Shard& shard, const State& saved, const State& scratch,
                     TensorView<float> out) const override;
  void backward(TensorView<float> dout, TensorView<const float> x, const State& saved, const Shard& shard,
                const Gradients& gradients, const State& scratch, TensorView<float> dx) const override;

  int64_t map_count() const override { return mixer_->map_count(); }
  void maps(const Shard& shard, ConstMatrix shared, TensorView<float> maps) const override {
    mixer_->maps(shard, shared, maps);
  }
  StageFlops flops(const Shard& in) const override;

 private:
  struct Saved {
    Norm::Saved norm1, norm2;
    State mixer, feed_forward;
    Residual::Saved residual1, residual2;
    Matrix normed1;            // [M, D]
    TensorView<float> middle;  // [M out, D], the stream between the branches
    Matrix normed2;            // [M out, D]
    bool mixer_shared = false;
  };
  struct Scratch {
    State mixer, feed_forward;
    int64_t chunk = 0;          // rows that go through the products together, in inference
    Matrix normed;              // [chunk, D], the input of the products in inference
    TensorView<float> dnormed;  // [M, D] of backward
    TensorView<float> branch;   // [M, D] of backward
    TensorView<float> leaving;  // [B, D] of training: the stream of the class tokens, where they alone leave
  };

  Saved plan_around_mixer(Arena& arena, const Shard& largest) const;

  Options options_;
  std::unique_ptr<Norm> norm1_;
  std::unique_ptr<Mixer> mixer_;
  Residual residual1_;
  std::unique_ptr<Norm> norm2_;
  std::unique_ptr<FeedForward> feed_forward_;
  Residual residual2_;
};

}  // namespace vit
