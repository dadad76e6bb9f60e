// Class tokens of the last blocks and the mean of the grid's tokens after the last one, side by side, all of them
// normed first: DINOv2's linear classifiers. Oquab et al., arXiv:2304.07193.
#pragma once

#include <memory>
#include <optional>

#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
#include "vit/layers/readout.h"

namespace vit {

class TokenMeanReadout final : public Readout {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;  // 0 = no Linear, the features come out
    int64_t layers = 1;   // last blocks whose class tokens are read
  };
  /// Registers norm (a null `norm`: none) and head [C, (layers + 1) D]: the earliest block's class token, ..., the
  /// last one's, the mean.
  TokenMeanReadout(Registry& registry, const Options& options, const MakeNorm& norm);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, const Shard& largest, bool training) const override;
  TensorView<float> features(const State& state) const override { return state_of<Saved>(state).features; }
  int64_t earlier_stages() const override { return options_.layers - 1; }
  TensorView<float> earlier_tokens(const State& state, int64_t i, int64_t images) const override {
    return state_of<Saved>(state).rows.slice(i * images, images);
  }
  TensorView<const float> earlier_gradients(const State& state, int64_t i, int64_t images) const override {
    return state_of<Saved>(state).drows.slice(i * images, images);
  }
  void forward(TensorView<const float> x, const Shard& shard, const State& state,
               TensorView<float> logits) const override;
  void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state, const Shard& shard,
                const Gradients& gradients, TensorView<float> dx) const override;
  double flops(const Tokens&) const override { return linear_ ? linear_->flops(1) : 0; }

 private:
  struct Saved {
    TensorView<float> rows;  // [E B + M, D]: earlier class tokens, then all tokens of the last block; null without E
    Norm::Saved norm;
    TensorView<float> normed;    // [E B + M, D]; null without a norm
    TensorView<float> features;  // [B, (E + 2) D]
    // Of backward; null in inference.
    TensorView<float> dfeatures;  // [B, (E + 2) D]
    TensorView<float> drows;      // [E B + M, D]
  };
  int64_t features_width() const { return (options_.layers + 1) * options_.width; }
  int64_t earlier_rows(int64_t images) const { return earlier_stages() * images; }
  TensorView<const float> read_rows(TensorView<const float> x, const Shard& shard, const Saved& saved) const;

  Options options_;
  std::unique_ptr<Norm> norm_;
  std::optional<Linear> linear_;
};

}  // namespace vit
