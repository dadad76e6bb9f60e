// Which patches an answer looked at, from the attention probabilities of a forward pass.
#pragma once

#include <cstdint>
#include <vector>

#include "vit/core/tensor_view.h"
#include "vit/core/words.h"
#include "vit/model/config.h"

namespace vit {

enum class AttentionMethod {
  last_layer,  // what the pooled token reads in the last layer, mean over heads
  rollout,     // through all layers with half the weight on the residual: Abnar & Zuidema, arXiv:2005.00928
};
template <>
inline constexpr Word<AttentionMethod> kWords<AttentionMethod>[] = {{AttentionMethod::last_layer, "attention"},
                                                                    {AttentionMethod::rollout, "rollout"}};

/// Shares of the patches, [grid, grid] row-major; they add up to 1 (all 0 when the class token read itself alone).
struct AttentionMap {
  int64_t grid = 0;
  std::vector<float> shares;
};

/// attention [L*H, N*N] of one picture: for each layer and head, row q column k = how much token q reads token k.
/// The query is the class token, or with mean pooling the mean of all patch tokens.
AttentionMap attention_map(TensorView<const float> attention, const ModelConfig& config, AttentionMethod method);

}  // namespace vit
