// Pixels to tokens: the interface of what stands before the stages.
#pragma once

#include <functional>
#include <memory>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual void pack(const Packing& packing) = 0;

  virtual State plan_scratch(Arena& arena, int64_t images, bool training) const = 0;
  /// Whether `forward` can make some tokens of an image without the others.
  virtual bool splits() const = 0;

  /// x [count, D] += tokens [first, first + count) of the grid of image `image`, from input rows of all images
  /// [B * rows, row size]; first is 0 and count all unless the tokenizer splits.
  virtual void forward_add(TensorView<const float> input, int64_t image, int64_t first, int64_t count,
                           const State& scratch, TensorView<float> x) const = 0;
  /// From dx [M, D], of which `prefix` rows an image are no tokens of the grid. Called after forward_add of the same
  /// images with the same scratch.
  virtual void backward(TensorView<const float> dx, TensorView<const float> input, const Shard& shard,
                        const Gradients& gradients, const State& scratch) const = 0;

  /// Operations of a forward pass of one image.
  virtual double flops() const = 0;
};

/// Called where the embedding registers its tokenizer.
using MakeTokenizer = std::function<std::unique_ptr<Tokenizer>(Registry& registry)>;

}  // namespace vit
