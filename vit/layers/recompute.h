// What training keeps of the forward pass.
#pragma once

namespace vit {

/// What backward computes again instead of keeping it: nothing; queries, keys, values and heads of each block; or all
/// of a block but the stream that leaves it (Chen et al., arXiv:1604.06174).
enum class Recompute { none, attention, block };

}  // namespace vit
