// Multi-head self-attention: qkv Linear, scaled dot-product attention a head, projection.
// Vaswani et al., arXiv:1706.03762.
#pragma once

#include <optional>
#include <string>

#include "vit/core/arena.h"
#include "vit/kernels/attention.h"
#include "vit/layers/linear.h"

namespace vit {

/// Forward is in two halves, `project` and `attend`, since several workers on one image must all have projected
/// before one may attend. With `class_row` only the first token of an image asks (its row of q, heads and y); the
/// keys and values are those of all tokens. `in` tells of the tokens projected, `out` of those that attend.
class Attention {
 public:
  struct Options {
    int64_t width = 0;
    int64_t heads = 0;
    bool qkv_bias = true;
    bool class_row = false;
    int dropout_site = 0;  // first of two
  };
  Attention(Registry& registry, const std::string& name, const Options& options);

  /// `output_scale` [D] multiplies the branch unless null.
  void pack(const Packing& packing, const float* output_scale = nullptr);
  const Linear& input() const { return key_value_ ? *key_value_ : qkv_; }

  /// Queries, keys and values [M, 3D]. Products read and write dense rows only, so with class_row they are not side
  /// by side: first keys and values [M, 2D], then the queries of the class tokens [B, D].
  Matrix plan_qkv(Arena& arena, int64_t rows) const;

  struct Saved {
    Matrix qkv;                     // [M, 3D]
    Matrix heads;                   // [M out, D], the heads' outputs side by side
    TensorView<float> log_sum_exp;  // [B*H, N out]
  };
  Saved plan(Arena& arena, const Shard& in, const Shard& out) const;

  /// What a pass may write on and nobody reads afterwards; `dqkv` and `dy` are null in inference.
  struct Scratch {
    Matrix heads;  // [M out, D]: the heads in inference, their gradient in backward
    TensorView<float> kernel;
    Matrix dqkv;                // [M, 3D]
    Matrix dy;                  // [M out, D]
    Matrix asking;              // [B, D]: the class tokens' rows of x
    TensorView<float> dasking;  // [B, D]: the same of dx
  };
  Scratch plan_scratch(Arena& arena, const Shard& in, const Shard& out, bool training) const;

  /// The part of qkv [M, 3D] that stems from rows [first, first + m) of the input, x [m, D]; with class_row these are
  /// whole images, or tokens of the only one.
  void project(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const Scratch& scratch) const;
  /// heads [M out, D] from the qkv of all tokens; the first half of what comes after `project` ...
  Matrix attend(ConstMatrix qkv, const Shard& out, const Scratch& scratch) const;
  /// ... and the second: y [M out, D] += projection of the heads. Any rows of `heads`.
  void merge_add(ConstMatrix heads, TensorView<float> y) const { proj_.forward(heads, y, true); }

  /// y [M out, D] = attention(x), dropout applied.
  void forward_train(ConstMatrix x, const Shard& in, const Shard& out, const Saved& saved, const Scratch& scratch,
                     TensorView<float> y) const;
  /// Fills saved.qkv, heads and log_sum_exp again, to the same bits.
  void recompute(ConstMatrix x, const Shard& in, const Shard& out, const Saved& saved, const Scratch& scratch) const;
  /// dx [M, D] from dy [M out, D]; dy is changed where dropout is on.
  void backward(TensorView<float> dy, ConstMatrix x, const Saved& saved, const Shard& in, const Shard& out,
                const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const;

  /// maps [B, H, N*N] of the probabilities, from the qkv of all tokens; not with `class_row`.
  void maps(const Shard& shard, ConstMatrix qkv, TensorView<float> maps) const;

 private:
  AttentionOptions head_options(const Shard& shard, int64_t image, int64_t head) const;
  template <class M>
  M key_values(M qkv) const;
  template <class M>
  M queries(M qkv) const;
  /// Rows `count` from `row` of one head's queries, keys or values (third 0, 1, 2).
  template <class M>
  M head(M qkv, int64_t row, int64_t count, int64_t third, int64_t h) const;
  template <class Body>
  void for_each_head(const Shard& shard, Body body) const;
  template <class Used>
  LookAhead look_ahead(const Shard& shard, int64_t b, int64_t h, Used used) const;
  void attend(ConstMatrix qkv, const Shard& out, Matrix heads, float* log_sum_exp, float* kernel_scratch) const;
  void attend_backward(ConstMatrix qkv, ConstMatrix heads, ConstMatrix dheads, const float* log_sum_exp,
                       const Shard& in, const Shard& out, Matrix dqkv, float* kernel_scratch) const;
  double attention_flops(const Shard& out) const {
    return 4.0 * static_cast<double>(out.rows() * out.tokens * options_.width);
  }

  Options options_;
  int64_t head_size_;
  Linear qkv_;
  std::optional<Linear> query_, key_value_;  // parts of qkv_, with class_row
  Linear proj_;
};

}  // namespace vit
