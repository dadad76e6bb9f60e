// Attention pooling by one learned query, then a feed-forward: SigLIP's head. Zhai et al., arXiv:2303.15343, after
// Lee et al., arXiv:1810.00825.
//   p_h = softmax over t of (q_h . k_th) / sqrt(K);  mixed_h = sum of p_th v_th;  y = proj(mixed);  y += mlp(norm(y))
// The query is the same for every image, so keys and values of the tokens need not be made:
//   q_h . (W_h x_t + b) = (W_h^T q_h) . x_t + a number that is the same for all t, which softmax forgets, and
//   sum of p_th (V_h x_t + c_h) = V_h (sum of p_th x_t) + c_h.
// The tokens themselves are keys and values of attention with H queries of D numbers, u_h = W_h^T q_h / sqrt(K): 4 N D
// H operations an image instead of 4 N D^2.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vit/kernels/gemm.h"
#include "vit/layers/linear.h"
#include "vit/layers/mlp.h"
#include "vit/layers/norm.h"

namespace vit {

class AttentionPool {
 public:
  struct Options {
    int64_t width = 0;
    int64_t heads = 0;
    int64_t hidden = 0;  // F of its feed-forward
    Activation activation = Activation::gelu_erf;
    bool prefix = false;   // the tokens in front of the grid are seen, too
    int dropout_site = 0;  // first of two
  };
  /// Registers `<name>.latent` [1, 1, D], q [D, D], kv [2D, D], proj [D, D], norm and mlp.
  AttentionPool(Registry& registry, const std::string& name, const Options& options, const MakeNorm& norm);

  /// Attention in fp32, the Linears behind it in the type of the model's products, bf16 where that is int8.
  void pack(const Packing& packing);
  State plan(Arena& arena, const Shard& largest, bool training) const;

  /// y [B, D] from all tokens x [M, D].
  void forward(TensorView<const float> x, const Shard& shard, const State& state, TensorView<float> y) const;
  /// dx [M, D] is overwritten; dy [B, D] is changed. `x` as forward had it.
  void backward(TensorView<float> dy, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const;

  /// Operations of a forward pass of one image.
  double flops(const Tokens& tokens) const;

 private:
  struct Saved {
    TensorView<float> sums;         // [H B, D]: of head h and image b the weighted sum of tokens, in row h B + b
    TensorView<float> log_sum_exp;  // [B, H]
    TensorView<float> head;         // [B, K], of one head at a time
    TensorView<float> kernel;       // scratch of the attention kernel
    Matrix mixed;                   // [B, D]
    TensorView<float> pooled;       // [B, D], after the projection
    Norm::Saved norm;
    Matrix normed;  // [B, D]
    State mlp, mlp_scratch;
    // Of backward; null in inference.
    TensorView<float> dbranch;   // [B, D]
    TensorView<float> dnormed;   // [B, D]
    Matrix dpooled;              // [B, D], for the product
    TensorView<float> dmixed;    // [B, D]
    TensorView<float> dsums;     // [H B, D]
    TensorView<float> dqueries;  // [H, D], of one image
    TensorView<float> dasked;    // [H, D], of the shard
    TensorView<float> dvalues;   // [N, D], of one image
    TensorView<float> dquery;    // [1, D]
    TensorView<float> dlatent;   // [1, D]
  };

  int64_t head_size() const { return options_.width / options_.heads; }
  ConstMatrix queries() const;
  TensorView<const float> seen(TensorView<const float> x, const Shard& shard, int64_t image) const;
  void attend(TensorView<const float> x, const Shard& shard, const Saved& saved) const;
  void attend_backward(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> dx) const;
  void ask(const Packing& packing);
  void ask_backward(const Saved& saved, const Shard& shard, const Gradients& gradients) const;

  Options options_;
  int latent_;
  Linear query_;
  Linear key_value_;            // its parameters; the products are those of values_
  std::vector<Linear> values_;  // of each head
  Linear proj_;
  std::unique_ptr<Norm> norm_;
  Mlp mlp_;
  int section_;
  bool training_ = false;
  AlignedBuffer<float> queries_;                       // u [H, D]
  AlignedBuffer<float> latent_values_, query_values_;  // [D], q / sqrt(K) [D]
  AlignedBuffer<float> keys_;                          // W [D, D], in training
};

}  // namespace vit
