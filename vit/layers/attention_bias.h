// What is added to the scores of attention, by the places of query and key.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"
#include "vit/layers/mixer.h"

namespace vit {

class AttentionBias {
 public:
  virtual ~AttentionBias() = default;

  virtual void pack(const Packing& packing) = 0;
  /// [N, N] of one head, row by query.
  virtual TensorView<const float> of_head(int64_t head) const = 0;
  /// dbias [H, Nq, N]: gradients of the scores, summed over the images of the shard; of the first Nq queries.
  virtual void backward(TensorView<const float> dbias, const Shard& shard, const Gradients& gradients) const = 0;
};

/// Makes the bias of one attention layer, `name`.
using MakeAttentionBias =
    std::function<std::unique_ptr<AttentionBias>(Registry& registry, const std::string& name, const MixerPlace& place)>;

}  // namespace vit
