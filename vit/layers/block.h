// Pre-norm Transformer block: x += attention(norm1(x)); x += mlp(norm2(x)).
#pragma once

#include <string>

#include "vit/layers/attention.h"
#include "vit/layers/mlp.h"
#include "vit/layers/norm.h"
#include "vit/layers/residual.h"

namespace vit {

class Block {
 public:
  struct Options {
    int64_t width = 0;
    int64_t heads = 0;
    int64_t mlp_width = 0;
    float eps = 1e-6f;
    Activation activation = Activation::gelu_erf;
    bool qkv_bias = true;
    bool layer_scale = false;
    int64_t index = 0;  // of `depth` blocks
    int64_t depth = 1;
  };
  Block(Registry& registry, const std::string& name, const Options& options);

  void pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training);

  struct Saved {
    LayerNorm::Saved norm1, norm2;
    Attention::Saved attention;
    Mlp::Saved mlp;
    Residual::Saved residual1, residual2;
    TensorView<float> normed1;  // [M, D]
    TensorView<float> middle;   // [M, D], the stream between the branches
    TensorView<float> normed2;  // [M, D]
    TensorView<float> out;      // [M, D]
  };
  Saved plan(Arena& arena, const Shard& largest) const;

  /// One set for all blocks of a worker.
  struct Scratch {
    Attention::Scratch attention;
    Mlp::Scratch mlp;
    TensorView<float> normed;  // [M, D]
    TensorView<float> branch;  // [M, D]
  };
  Scratch plan_scratch(Arena& arena, const Shard& largest) const;

  /// x [M, D] in place.
  void forward(TensorView<float> x, const Shard& shard, const Scratch& scratch) const;
  /// The stream after the block is saved.out.
  void forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, const Scratch& scratch) const;
  /// dx [M, D] in place: gradient of saved.out in, gradient of x out.
  void backward(TensorView<float> dx, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, const Scratch& scratch) const;

  const Attention& attention() const { return attention_; }

 private:
  Options options_;
  LayerNorm norm1_;
  Attention attention_;
  Residual residual1_;
  LayerNorm norm2_;
  Mlp mlp_;
  Residual residual2_;
};

}  // namespace vit
