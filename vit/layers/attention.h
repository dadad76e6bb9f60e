// Multi-head self-attention: qkv Linear, scaled dot-product attention a head, projection.
// Vaswani et al., arXiv:1706.03762.
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/kernels/attention.h"
#include "vit/layers/linear.h"

namespace vit {

class Attention {
 public:
  struct Options {
    int64_t width = 0;
    int64_t heads = 0;
    bool qkv_bias = true;
    int dropout_site = 0;  // first of two
  };
  Attention(Registry& registry, const std::string& name, const Options& options);

  void pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training);

  struct Saved {
    TensorView<float> qkv;          // [M, 3D]
    TensorView<float> heads;        // [M, D], the heads' outputs side by side
    TensorView<float> log_sum_exp;  // [B*H, N]
  };
  Saved plan(Arena& arena, const Shard& largest) const;
  /// Floats of scratch for any of the passes; `dqkv` and `dheads` of backward are apart.
  int64_t scratch_floats(int64_t tokens) const;

  /// What a pass may write on and nobody reads afterwards.
  struct Scratch {
    TensorView<float> qkv;     // [M, 3D]: qkv in inference, its gradient in backward
    TensorView<float> heads;   // [M, D]: likewise
    TensorView<float> kernel;  // [scratch_floats]
  };
  /// y [M, D] += attention(x) in inference.
  void forward_add(TensorView<const float> x, const Shard& shard, const Scratch& scratch, TensorView<float> y) const;
  /// y [M, D] = attention(x), dropout applied.
  void forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, const Scratch& scratch,
                     TensorView<float> y) const;
  /// dx [M, D] from dy; dy is changed where dropout is on.
  void backward(TensorView<float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const;

  /// maps [B, H, N*N] of the probabilities, from qkv as the last forward_add left it in its scratch.
  void maps(const Shard& shard, const Scratch& scratch, TensorView<float> maps) const;

 private:
  AttentionOptions head_options(const Shard& shard, int64_t image, int64_t head) const;
  template <class Body>
  void for_each_head(const Shard& shard, Body body) const;
  void attend(const Shard& shard, TensorView<const float> qkv, TensorView<float> heads, float* log_sum_exp,
              float* kernel_scratch) const;

  int64_t width_;
  int64_t heads_;
  int dropout_site_;
  Linear qkv_;
  Linear proj_;
};

}  // namespace vit
