// How the tokens of an image see each other: the interface of the first branch of a block.
#pragma once

#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

/// Where a mixer stands.
struct MixerPlace {
  Tokens tokens = {};
  int64_t block = 0;  // of `depth` blocks
  int64_t depth = 1;
  bool class_row = false;  // only the first token of an image leaves the block
  int dropout_site = 0;    // first of two
};

/// Operations of a forward pass.
struct MixerFlops {
  double project = 0;  // before the tokens meet; again in backward with Recompute::attention
  double attend = 0;   // their meeting
  double merge = 0;
};

/// Forward is in two halves, `project` and `attend`, since several workers on one image must all have projected
/// before one may attend. `in` tells of the tokens projected, `out` of those that leave: all, or with `class_row` the
/// first of each image.
class Mixer {
 public:
  virtual ~Mixer() = default;

  /// `output_scale` [D] multiplies the branch unless null.
  virtual void pack(const Packing& packing, const float* output_scale) = 0;
  /// What x must be, and what one unit of it stands for in int8.
  virtual DType input_type() const = 0;
  virtual float input_scale() const { return 1; }
  /// The one matrix that reads x; -1 = there is no such.
  virtual int input_weight() const { return -1; }

  /// What `project` writes and `attend` reads, of `rows` tokens.
  virtual Matrix plan_projected(Arena& arena, int64_t rows) const = 0;
  virtual State plan(Arena& arena, const Shard& in, const Shard& out) const = 0;
  /// What a pass may write on and nobody reads afterwards.
  virtual State plan_scratch(Arena& arena, const Shard& in, const Shard& out, bool training) const = 0;

  /// The part of `projected` that stems from rows [first, first + m) of the input, x [m, D]; with class_row these are
  /// whole images, or tokens of the only one.
  virtual void project(ConstMatrix x, int64_t first, const Shard& in, Matrix projected, const State& scratch) const = 0;
  /// mixed [M out, D] from all that was projected ...
  virtual Matrix attend(ConstMatrix projected, const Shard& out, const State& scratch) const = 0;
  /// ... and y [m, D] += the branch, from any of its rows.
  virtual void merge_add(ConstMatrix mixed, TensorView<float> y) const = 0;

  /// y [M out, D] = mixer(x), dropout applied.
  virtual void forward_train(ConstMatrix x, const Shard& in, const Shard& out, const State& saved, const State& scratch,
                             TensorView<float> y) const = 0;
  /// Fills what forward_train saved again, to the same bits.
  virtual void recompute(ConstMatrix x, const Shard& in, const Shard& out, const State& saved,
                         const State& scratch) const = 0;
  /// dx [M, D] from dy [M out, D]; dy is changed where dropout is on.
  virtual void backward(TensorView<float> dy, ConstMatrix x, const State& saved, const Shard& in, const Shard& out,
                        const Gradients& gradients, const State& scratch, TensorView<float> dx) const = 0;

  /// Maps an image that `maps` gives: the heads; 0 = it has none.
  virtual int64_t map_count() const { return 0; }
  /// maps [B, H, N*N] of the probabilities, from all that was projected; not with `class_row`.
  virtual void maps(const Shard& shard, ConstMatrix projected, TensorView<float> maps) const {
    static_cast<void>(shard), static_cast<void>(projected), static_cast<void>(maps);
    fail(ErrorKind::usage, "[mixer] this kind of mixer has no attention maps");
  }

  virtual MixerFlops flops(const Shard& in, const Shard& out) const = 0;
};

}  // namespace vit
