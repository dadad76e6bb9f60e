// Tokens to logits: pooling, norm, Linear. With the class token the norm commutes with picking its row, so it
// runs on the pooled rows only ("norm"); mean pooling norms after the mean, as timm does ("fc_norm").
#pragma once

#include <optional>

#include "vit/core/arena.h"
#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
#include "vit/layers/pooling.h"

namespace vit {

class Head {
 public:
  struct Options {
    int64_t width = 0;
    int64_t classes = 0;  // 0 = no Linear, the features come out
    float eps = 1e-6f;
    Pooling pooling = Pooling::class_token;
    bool class_token = true;
  };
  Head(Registry& registry, const Options& options);

  /// Always in fp32.
  void pack(const Packing& packing);

  struct Saved {
    TensorView<float> pooled;  // [B, D]
    LayerNorm::Saved norm;
    TensorView<float> features;  // [B, D], after the norm: the embedding of the image
  };
  Saved plan(Arena& arena, int64_t images) const;

  /// logits [B, C] from x: the class tokens [B, D], or all [M, D] with mean pooling; not computed without classes.
  void forward(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> logits) const;
  /// dx, of the shape of x, is overwritten. `dfeatures` [B, D] is scratch.
  void backward(TensorView<const float> dlogits, const Saved& saved, const Shard& shard, const Gradients& gradients,
                TensorView<float> dfeatures, TensorView<float> dx) const;

 private:
  void pool(TensorView<const float> x, const Shard& shard, TensorView<float> pooled) const;

  Pooling pooling_;
  int64_t width_;
  int64_t prefix_;
  LayerNorm norm_;
  std::optional<Linear> linear_;
};

}  // namespace vit
