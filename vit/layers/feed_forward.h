// The second branch of a block, each token by itself: the interface.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class FeedForward {
 public:
  virtual ~FeedForward() = default;

  /// `output_scale` [D] multiplies the branch unless null.
  virtual void pack(const Packing& packing, const float* output_scale) = 0;
  /// What x must be, and what one unit of it stands for in int8.
  virtual DType input_type() const = 0;
  virtual float input_scale() const { return 1; }
  /// The one matrix that reads x; -1 = there is no such.
  virtual int input_weight() const { return -1; }

  virtual State plan(Arena& arena, int64_t rows) const = 0;
  /// What a pass of at most `rows` rows may write on.
  virtual State plan_scratch(Arena& arena, int64_t rows, bool training) const = 0;

  /// y [M, D] += the branch of x in inference.
  virtual void forward_add(ConstMatrix x, const State& scratch, TensorView<float> y) const = 0;
  /// y [M, D] = the branch of x, dropout applied.
  virtual void forward_train(ConstMatrix x, const Shard& shard, const State& saved, TensorView<float> y) const = 0;
  /// dx [M, D] from dy; dy is changed where dropout is on.
  virtual void backward(TensorView<float> dy, ConstMatrix x, const State& saved, const Shard& shard,
                        const Gradients& gradients, const State& scratch, TensorView<float> dx) const = 0;

  /// Operations of a forward pass of `rows` rows.
  virtual double flops(int64_t rows) const = 0;
};

}  // namespace vit
