// Rotary positions: queries and keys are turned by angles that follow from the place of their token in the picture, so
// that scores depend on where tokens lie from each other. Su et al., arXiv:2104.09864; in two dimensions Heo et al.,
// arXiv:2403.13298. Tokens in front of the grid are not turned.
#pragma once

#include <string>
#include <vector>

#include "vit/kernels/rotate.h"
#include "vit/layers/query_key_map.h"
#include "vit/layers/rope_layout.h"

namespace vit {

class Rope final : public QueryKeyMap {
 public:
  struct Options {
    RopeLayout layout = RopeLayout::axial;
    int64_t heads = 0;
    int64_t head_size = 0;                   // K, a multiple of 4
    float theta = 10000;                     // base of the frequencies
    float reference = 0;                     // axial: places run over so many, whatever the grid; 0 = they are counted
    float offset = 0;                        // axial: of the first place
    RopeOrder order = RopeOrder::row_first;  // axial
  };
  /// Registers rope.freqs [2, blocks, H, K / 2], columns and then rows, of all blocks together, with learned
  /// frequencies.
  Rope(Registry& registry, const Options& options, const MixerPlace& place);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, int64_t queries, int64_t keys, DType type) const override;
  void forward(Matrix x, QueryOrKey which, const RowTokens& tokens) const override;
  void forward_train(Matrix x, QueryOrKey which, const RowTokens& tokens, const State& saved) const override;
  /// The last of the maps: `x` is what the rotation left.
  void backward(Matrix dx, ConstMatrix x, QueryOrKey which, const RowTokens& tokens, const State& saved) const override;
  void add_gradients(const State& saved, const Shard& shard, const Gradients& gradients) const override;

  struct Angles {
    TensorView<const float> cosine, sine;  // [N, K / 2]
  };
  /// Of one head, once packed; where the frequencies are not learned all heads have those of the first.
  Angles angles(int64_t head) const;
  bool learned() const { return options_.layout == RopeLayout::mixed; }
  RotaryPairs pairing() const {
    return options_.layout == RopeLayout::dinov3 ? RotaryPairs::halves : RotaryPairs::adjacent;
  }

 private:
  struct Saved {
    TensorView<float> dfrequencies;  // [2, 2, H, K / 2]: of queries and keys, this shard's; null where they are fixed
  };
  struct Table {
    AlignedBuffer<float> cosine, sine;  // [N, K / 2]
  };

  int64_t pairs() const { return options_.head_size / 2; }
  void fill(Table& table, const float* of_column, const float* of_row) const;
  void rotate(Matrix x, const RowTokens& tokens, bool inverse) const;
  void add_frequency_gradients(ConstMatrix dx, ConstMatrix x, const RowTokens& tokens, TensorView<float> sums) const;

  Options options_;
  MixerPlace place_;
  int frequencies_ = -1;
  int section_ = -1;
  std::vector<Table> tables_;  // one for all heads, or one a head
};

}  // namespace vit
