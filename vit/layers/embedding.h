// Pictures to the stream that the stages read: prefix tokens in front of the tokenizer's, position embedding added.
#pragma once

#include <vector>

#include "vit/core/buffer.h"
#include "vit/layers/prefix_tokens.h"
#include "vit/layers/tokenizer.h"

namespace vit {

class Embedding {
 public:
  struct Options {
    Tokens tokens;
    int64_t width = 0;
    std::vector<PrefixToken> prefix = {};
    /// Fills a position table [N, D] of zeros; null = it is learned.
    std::function<void(const Tokens& tokens, TensorView<float> table)> position = {};
    bool position_on_prefix = true;  // prefix tokens have rows of a learned table, too
  };
  /// Registers the prefix tokens, pos_embed [1, N, D] (or of the grid alone) and what the tokenizer has.
  Embedding(Registry& registry, const Options& options, const MakeTokenizer& tokenizer);

  void pack(const Packing& packing);

  State plan_scratch(Arena& arena, int64_t images, bool training) const {
    return tokenizer_->plan_scratch(arena, images, training);
  }
  /// Whether several workers may embed the tokens of one image.
  bool splits() const { return tokenizer_->splits(); }

  /// x [M, D], the worker's tokens, from the tokenizer's input rows of the shard's images.
  void forward(TensorView<const float> input, const Shard& shard, const State& scratch, TensorView<float> x) const;
  /// forward and dropout.
  void forward_train(TensorView<const float> input, const Shard& shard, const State& scratch,
                     TensorView<float> x) const;
  /// dx [M, D] is changed where dropout is on.
  void backward(TensorView<float> dx, TensorView<const float> input, const Shard& shard, const Gradients& gradients,
                const State& scratch) const;

  double flops() const { return tokenizer_->flops(); }

 private:
  Options options_;
  PrefixTokens prefix_;
  int64_t position_first_;  // the first token that has a row of the position table
  int position_ = -1;
  std::unique_ptr<Tokenizer> tokenizer_;
  int section_;
  AlignedBuffer<float> fixed_position_;     // [N, D] of the kinds that are not learned
  AlignedBuffer<float> prefixed_position_;  // [N, D]: position, and the prefix tokens
};

}  // namespace vit
