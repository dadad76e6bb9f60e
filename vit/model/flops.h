// How many floating-point operations an image costs; docs/architecture.md has the formulas.
#pragma once

#include "vit/layers/recompute.h"
#include "vit/model/config.h"

namespace vit {

/// Which tokens the last block computes: those that leave it, which class-token pooling makes one (what Vit does), or
/// all of them (what engines do that run the network as it is written).
enum class LastBlock { leaving_tokens, all_tokens };

/// Operations of one image, a multiply-add as two: those of the products and of attention, by part. The rest (norms,
/// GELU, softmax, sums) is a few in a hundred and counts as none.
struct Flops {
  double embedding = 0;  // the patches' projection
  double linear = 0;     // the products of the blocks
  double attention = 0;  // scores and weighted sums
  double head = 0;

  double total() const { return embedding + linear + attention + head; }
};

/// Of a forward pass.
Flops forward_flops(const ModelConfig& config, LastBlock last = LastBlock::leaving_tokens);

/// Of a training step, forward and backward: what backward computes again counts, AdamW does not.
Flops training_flops(const ModelConfig& config, Recompute recompute = Recompute::none,
                     LastBlock last = LastBlock::leaving_tokens);

}  // namespace vit
