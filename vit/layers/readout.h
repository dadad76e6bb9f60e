// Tokens to logits: the interface of what stands behind the stages.
#pragma once

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class Readout {
 public:
  virtual ~Readout() = default;

  /// Always in fp32.
  virtual void pack(const Packing& packing) = 0;

  /// What forward writes, and with `training` what backward writes on.
  virtual State plan(Arena& arena, const Shard& largest, bool training) const = 0;
  /// The embedding of each image [B, D], which forward left in `state`: what the classifying Linear reads.
  virtual TensorView<float> features(const State& state) const = 0;

  /// logits [B, C] from x: all tokens [M, D], or the first of each image [B, D] where the readout needs no other (its
  /// row in the table says so); null logits are not computed.
  virtual void forward(TensorView<const float> x, const Shard& shard, const State& state,
                       TensorView<float> logits) const = 0;
  /// dx, of the shape of x, is overwritten. `x` as forward had it.
  virtual void backward(TensorView<const float> dlogits, TensorView<const float> x, const State& state,
                        const Shard& shard, const Gradients& gradients, TensorView<float> dx) const = 0;

  /// Operations of a forward pass of one image.
  virtual double flops(const Tokens& tokens) const = 0;
};

}  // namespace vit
