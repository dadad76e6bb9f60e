// Patch rows to tokens: patch Linear, class token in front, position embedding added.
#pragma once

#include "vit/core/arena.h"
#include "vit/core/buffer.h"
#include "vit/layers/linear.h"
#include "vit/layers/pos_embed.h"

namespace vit {

class PatchEmbed {
 public:
  struct Options {
    int64_t grid = 0;  // patches a side
    int64_t patch_size = 0;
    int64_t channels = 3;
    int64_t width = 0;
    bool class_token = true;
    PositionEmbedding position = PositionEmbedding::learned;
  };
  /// Registers cls_token [1, 1, D], pos_embed [1, N, D] and patch_embed.proj as timm does.
  PatchEmbed(Registry& registry, const Options& options);

  void pack(const Packing& packing);

  struct Scratch {
    Matrix patches;   // [B * patches, 3*P*P] for the products; null where they read the patches themselves
    Matrix dpatches;  // [B * patches, D] of backward: the gradients of the projected patches
  };
  Scratch plan_scratch(Arena& arena, int64_t images, bool training) const;

  /// x [M, D], the worker's tokens, from patches [B * patches, 3*P*P].
  void forward(TensorView<const float> patches, const Shard& shard, const Scratch& scratch, TensorView<float> x) const;
  /// forward and dropout.
  void forward_train(TensorView<const float> patches, const Shard& shard, const Scratch& scratch,
                     TensorView<float> x) const;
  /// dx [M, D] is changed where dropout is on.
  void backward(TensorView<float> dx, TensorView<const float> patches, const Shard& shard, const Gradients& gradients,
                const Scratch& scratch) const;

 private:
  int64_t width_;
  int64_t patches_;
  int64_t patch_dim_;
  int64_t prefix_;  // class tokens in front: 0 or 1
  int dropout_site_;
  int class_token_ = -1;
  int position_ = -1;
  Linear proj_;
  int section_;
  AlignedBuffer<float> fixed_position_;     // [N, D] of the sine-cosine kinds
  AlignedBuffer<float> prefixed_position_;  // [N, D]: position, and class token where there is one
};

}  // namespace vit
