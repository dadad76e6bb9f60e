// What the network is a list of, between tokenizer and readout: blocks, and whatever changes number or width of the
// tokens. The interface.
#pragma once

#include "vit/core/arena.h"
#include "vit/layers/context.h"
#include "vit/layers/recompute.h"

namespace vit {

/// Operations of a forward pass.
struct StageFlops {
  double linear = 0;
  double attention = 0;
  double projected = 0;  // of linear: what Recompute::attention computes again
};

/// One worker at a time uses a scratch or a saved state; the same code runs for a shard of images and for one part of
/// an image's tokens (Shard::first_token, own_tokens).
class Stage {
 public:
  virtual ~Stage() = default;

  virtual void pack(const Packing& packing) = 0;

  /// The tokens that leave.
  virtual Shard leaving(const Shard& in) const { return in; }
  /// D of what leaves, from that of what comes.
  virtual int64_t width_after(int64_t width) const { return width; }
  /// What leaves may lie where what came lay, and the gradients likewise.
  virtual bool in_place() const { return true; }
  /// Workers may share the tokens of an image; else one takes them all.
  virtual bool for_teams() const { return true; }

  // ---- inference, in two halves between which all workers on an image must meet ----

  /// What the workers on an image hand each other, of `largest`; null views where they need nothing.
  virtual Matrix plan_shared(Arena& arena, const Shard& largest) const = 0;
  /// What one worker may write on; also backward, with `training`.
  virtual State plan_scratch(Arena& arena, const Shard& largest, bool training) const = 0;
  /// The first half: the worker's part of `shared`, from its tokens x [M, D] ...
  virtual void begin(TensorView<const float> x, const Shard& shard, Matrix shared, const State& scratch) const = 0;
  /// ... and the rest, from all of `shared`. Changes x; out [M out, D out] is x where the stage works in place.
  virtual void end(TensorView<float> x, const Shard& shard, ConstMatrix shared, const State& scratch,
                   TensorView<float> out) const = 0;

  // ---- training ----

  /// Places for what backward computes again, which all stages use in turn.
  virtual State plan_recomputed(Arena& arena, const Shard& largest, Recompute recompute) const = 0;
  /// What the stage keeps, of which `recomputed` is a part.
  virtual State plan(Arena& arena, const Shard& largest, Recompute recompute, const State& recomputed) const = 0;
  /// out [M out, D out] from x, which stays.
  virtual void forward_train(TensorView<const float> x, const Shard& shard, const State& saved, const State& scratch,
                             TensorView<float> out) const = 0;
  /// dx [M, D] from dout [M out, D out], which is changed; dx is dout where the stage works in place.
  virtual void backward(TensorView<float> dout, TensorView<const float> x, const State& saved, const Shard& shard,
                        const Gradients& gradients, const State& scratch, TensorView<float> dx) const = 0;

  // ---- for those who look inside ----

  /// Attention maps that `maps` gives of an image; 0 = the stage has none.
  virtual int64_t map_count() const { return 0; }
  /// maps [B, map_count, N*N] from all of `shared`.
  virtual void maps(const Shard& shard, ConstMatrix shared, TensorView<float> maps) const {
    static_cast<void>(shard), static_cast<void>(shared), static_cast<void>(maps);
  }
  virtual StageFlops flops(const Shard& in) const = 0;
};

}  // namespace vit
