// Multi-head self-attention: qkv Linear, scaled dot-product attention a head, projection. Vaswani et al.,
// arXiv:1706.03762. A norm of the heads' outputs may stand before the projection: Wang et al., arXiv:2210.06423.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vit/kernels/attention.h"
#include "vit/layers/attention_bias.h"
#include "vit/layers/linear.h"
#include "vit/layers/mixer.h"
#include "vit/layers/norm.h"
#include "vit/layers/query_key_map.h"

namespace vit {

/// With `class_row` only the first token of an image asks (its row of q, heads and y); the keys and values are those of
/// all tokens.
class Attention final : public Mixer {
 public:
  struct Options {
    int64_t width = 0;
    int64_t heads = 0;
    bool qkv_bias = true;
    std::vector<MakeQueryKeyMap> maps = {};  // in the order in which they act
    MakeAttentionBias bias = {};             // null = none
    MakeNorm norm = {};                      // of the heads' outputs side by side [D]; null = none
  };
  /// Registers `<name>.qkv`, what maps and bias have, `<name>.norm`, `<name>.proj`.
  Attention(Registry& registry, const std::string& name, const Options& options, const MixerPlace& place);

  void pack(const Packing& packing, const float* output_scale) override;
  DType input_type() const override { return input().type(); }
  float input_scale() const override { return input().input_scale(); }
  int input_weight() const override { return qkv_.weight(); }

  /// Queries, keys and values [M, 3D]. Products read and write dense rows only, so with class_row they are not side
  /// by side: first keys and values [M, 2D], then the queries of the class tokens [B, D].
  Matrix plan_projected(Arena& arena, int64_t rows) const override;
  State plan(Arena& arena, const Shard& in, const Shard& out) const override;
  State plan_scratch(Arena& arena, const Shard& in, const Shard& out, bool training) const override;

  void project(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const State& scratch) const override;
  Matrix attend(ConstMatrix qkv, const Shard& out, const State& scratch) const override;
  void merge_add(ConstMatrix heads, TensorView<float> y) const override { proj_.forward(heads, y, true); }

  void forward_train(ConstMatrix x, const Shard& in, const Shard& out, const State& saved, const State& scratch,
                     TensorView<float> y) const override;
  void recompute(ConstMatrix x, const Shard& in, const Shard& out, const State& saved,
                 const State& scratch) const override;
  void backward(TensorView<float> dy, ConstMatrix x, const State& saved, const Shard& in, const Shard& out,
                const Gradients& gradients, const State& scratch, TensorView<float> dx) const override;

  int64_t map_count() const override { return options_.heads; }
  void maps(const Shard& shard, ConstMatrix qkv, TensorView<float> maps) const override;
  MixerFlops flops(const Shard& in, const Shard& out) const override;

 private:
  struct Saved {
    Matrix qkv;                     // [M, 3D], as attention reads it
    Matrix heads;                   // [M out, D], the heads' outputs side by side
    TensorView<float> log_sum_exp;  // [B*H, N out]
    std::vector<State> maps;
    Matrix normed;  // [M out, D], what the projection reads: heads without a norm
    Norm::Saved norm;
  };
  /// Where attention leaves what, and what backward needs; null in inference.
  struct Attended {
    Matrix heads, normed;
    float* log_sum_exp = nullptr;
    const Norm::Saved* norm = nullptr;
  };
  /// `dqkv` and what follows are null in inference.
  struct Scratch {
    Matrix heads;   // [M out, D]: the heads in inference, their gradient in backward
    Matrix normed;  // [M out, D] in inference: what the projection reads, in the memory of heads where that serves
    TensorView<float> kernel;
    Matrix asking;              // [B, D]: the class tokens' rows of x
    Matrix dqkv;                // [M, 3D]
    Matrix dy;                  // [M out, D]
    TensorView<float> dasking;  // [B, D]: the same of dx
    TensorView<float> dbias;    // [H, N out, N]; null without a bias
  };

  const Linear& input() const { return key_value_ ? *key_value_ : qkv_; }
  AttentionOptions head_options(const Shard& shard, int64_t image, int64_t head) const;
  template <class M>
  M key_values(M qkv) const;
  template <class M>
  M queries(M qkv) const;
  template <class M>
  M head(M qkv, int64_t row, int64_t count, int64_t third, int64_t h) const;
  template <class Body>
  void for_each_head(const Shard& shard, Body body) const;
  template <class Used>
  LookAhead look_ahead(const Shard& shard, int64_t b, int64_t h, Used used) const;
  template <class Body>
  void for_queries_and_keys(Matrix qkv, int64_t first, int64_t count, const Shard& in, Body body) const;
  void project_rows(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const Scratch& scratch,
                    const std::vector<State>* saved_maps) const;
  void attend_heads(ConstMatrix qkv, const Shard& out, const Attended& to, float* kernel_scratch) const;
  void norm_rows(const Attended& to, int64_t first, int64_t count) const;
  void attend_backward(const Saved& saved, ConstMatrix dheads, const Shard& in, const Shard& out,
                       const Scratch& scratch) const;
  void maps_backward(const Saved& saved, Matrix dqkv, const Shard& in, const Gradients& gradients) const;
  double attention_flops(const Shard& out) const {
    return 4.0 * static_cast<double>(out.rows() * out.tokens.count() * options_.width);
  }

  Options options_;
  MixerPlace place_;
  int64_t head_size_;
  Linear qkv_;
  std::optional<Linear> query_, key_value_;  // parts of qkv_, with class_row
  std::vector<std::unique_ptr<QueryKeyMap>> maps_;
  std::unique_ptr<AttentionBias> bias_;
  std::unique_ptr<Norm> norm_;
  Linear proj_;
};

}  // namespace vit
