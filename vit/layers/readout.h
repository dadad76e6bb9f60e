// Tokens to logits: the interface of what stands behind the stages.
#pragma once

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class Readout {
 public:
  virtual ~Readout() = default;

  /// The head is always in fp32.
  virtual void pack(const Packing& packing) = 0;

  /// What forward writes, and with `training` what backward writes on.
  virtual State plan(Arena& arena, const Shard& largest, bool training) const = 0;
  /// The embedding of each image [B, features], which forward left in `state`: what the classifying Linear reads.
  virtual TensorView<float> features(const State& state) const = 0;

  /// Stages before the last whose first tokens it reads, too.
  virtual int64_t earlier_stages() const { return 0; }
  /// [B, D] for the i-th of them, the earliest first: the network writes them before forward, and between forward and
  /// backward they stay.
  virtual TensorView<float> earlier_tokens(const State&, int64_t i, int64_t images) const {
    return static_cast<void>(i), static_cast<void>(images), TensorView<float>();
  }
  /// Their gradients [B, D], which backward left in `state`.
  virtual TensorView<const float> earlier_gradients(const State&, int64_t i, int64_t images) const {
    return static_cast<void>(i), static_cast<void>(images), TensorView<const float>();
  }

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
