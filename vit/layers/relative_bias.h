// A learned bias of the scores for each step between two places of the grid and each head: Shaw et al.,
// arXiv:1803.02155, in the tables of BEiT (Bao et al., arXiv:2106.08254), where tokens in front of the grid have three
// biases of their own.
#pragma once

#include <string>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/layers/attention_bias.h"

namespace vit {

class RelativeBias final : public AttentionBias {
 public:
  /// Registers `<name>.relative_position_bias_table` [(2 rows - 1)(2 cols - 1) + 3, H]; without a prefix no + 3.
  RelativeBias(Registry& registry, const std::string& name, const Tokens& tokens, int64_t heads);

  void pack(const Packing& packing) override;
  TensorView<const float> of_head(int64_t head) const override;
  void backward(TensorView<const float> dbias, const Shard& shard, const Gradients& gradients) const override;

 private:
  Tokens tokens_;
  int64_t heads_;
  std::vector<int32_t> index_;  // [N, N]: the row of the table
  int table_;
  int section_;
  AlignedBuffer<float> bias_;  // [H, N, N]
};

}  // namespace vit
