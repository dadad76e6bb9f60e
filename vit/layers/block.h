// Pre-norm Transformer block: x += attention(norm1(x)); x += mlp(norm2(x)).
#pragma once

#include <string>

#include "vit/layers/attention.h"
#include "vit/layers/mlp.h"
#include "vit/layers/norm.h"
#include "vit/layers/recompute.h"
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
    bool class_row = false;  // only the class token leaves the block: nobody reads the others after the last one
    int64_t index = 0;       // of `depth` blocks
    int64_t depth = 1;
  };
  Block(Registry& registry, const std::string& name, const Options& options);

  void pack(const Packing& packing);

  /// The tokens that leave the block.
  Shard leaving(const Shard& in) const { return options_.class_row ? in.class_tokens() : in; }

  struct Saved {
    LayerNorm::Saved norm1, norm2;
    Attention::Saved attention;
    Mlp::Saved mlp;
    Residual::Saved residual1, residual2;
    Matrix normed1;            // [M, D]
    TensorView<float> middle;  // [M out, D], the stream between the branches
    Matrix normed2;            // [M out, D]
    TensorView<float> out;     // [M out, D]
    bool attention_shared = false;
  };
  Saved plan(Arena& arena, const Shard& largest) const;
  /// Places for what backward computes again, of all blocks of this shape: with Recompute::attention queries, keys,
  /// values and heads, with Recompute::block all but the stream after the block ...
  Saved plan_recomputed(Arena& arena, const Shard& largest, Recompute recompute) const;
  /// ... and of one block: those and the rest in places of its own.
  Saved plan(Arena& arena, const Shard& largest, Recompute recompute, const Saved& recomputed) const;

  /// One set for all blocks of a worker, which all but the last let all tokens leave.
  struct Scratch {
    Attention::Scratch attention;
    Mlp::Scratch mlp;
    Matrix normed;              // [chunk of M, D], the input of the products in inference
    TensorView<float> dnormed;  // [M, D] of backward
    TensorView<float> branch;   // [M, D] of backward
    TensorView<float> leaving;  // [B, D]: the stream of the class tokens
  };
  Scratch plan_scratch(Arena& arena, const Shard& largest, bool training) const;
  Matrix plan_qkv(Arena& arena, int64_t rows) const { return attention_.plan_qkv(arena, rows); }

  /// Inference in two halves, between which all workers on an image must meet: the queries, keys and values of the
  /// worker's tokens, whose part of `qkv` [M of all workers, 3D] is written ...
  void project(TensorView<const float> x, const Shard& shard, Matrix qkv, const Scratch& scratch) const;
  /// ... and the rest, from the qkv of all tokens. Changes x [M, D]; the stream of the leaving tokens is what comes
  /// back.
  TensorView<float> finish(TensorView<float> x, const Shard& shard, ConstMatrix qkv, const Scratch& scratch) const;

  /// The stream after the block is saved.out.
  void forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, const Scratch& scratch) const;
  /// dx [M, D] from dout [M out, D], which is changed; dx may be dout where all tokens leave.
  void backward(TensorView<float> dout, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const;

  const Attention& attention() const { return attention_; }

 private:
  Saved plan_around_attention(Arena& arena, const Shard& largest) const;
  TensorView<float> plan_out(Arena& arena, const Shard& largest) const;
  TensorView<float> copy_leaving(TensorView<const float> x, const Shard& in, const Scratch& scratch) const;

  Options options_;
  LayerNorm norm1_;
  Attention attention_;
  Residual residual1_;
  LayerNorm norm2_;
  Mlp mlp_;
  Residual residual2_;
};

}  // namespace vit
