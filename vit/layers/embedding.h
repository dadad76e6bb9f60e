// Pictures to the stream that the stages read: prefix tokens in front of the tokenizer's, position embedding added; a
// norm of all tokens may follow.
#pragma once

#include <memory>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/layers/norm.h"
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
    MakeNorm norm = {};              // of what enters the first stage; null = none
  };
  /// Registers the prefix tokens, pos_embed [1, N, D] (or of the grid alone), what the tokenizer has, and norm_pre.
  Embedding(Registry& registry, const Options& options, const MakeTokenizer& tokenizer);

  void pack(const Packing& packing);

  State plan_scratch(Arena& arena, int64_t images, bool training) const;
  /// Whether several workers may embed the tokens of one image.
  bool splits() const { return tokenizer_->splits(); }

  /// x [M, D], the worker's tokens, from the tokenizer's input rows of the shard's images.
  void forward(TensorView<const float> input, const Shard& shard, const State& scratch, TensorView<float> x) const;
  /// forward, with dropout before the norm.
  void forward_train(TensorView<const float> input, const Shard& shard, const State& scratch,
                     TensorView<float> x) const;
  /// dx [M, D] is changed where there is dropout or a norm.
  void backward(TensorView<float> dx, TensorView<const float> input, const Shard& shard, const Gradients& gradients,
                const State& scratch) const;

  double flops() const { return tokenizer_->flops(); }

 private:
  struct Scratch {
    State tokenizer;
    TensorView<float> before;  // [M, D] of training: what the norm reads; null without one
    Norm::Saved norm;
  };
  void embed(TensorView<const float> input, const Shard& shard, const Scratch& scratch, TensorView<float> x) const;

  Options options_;
  PrefixTokens prefix_;
  int64_t position_first_;  // the first token that has a row of the position table
  int position_ = -1;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Norm> norm_;
  int section_;
  AlignedBuffer<float> fixed_position_;     // [N, D] of the kinds that are not learned
  AlignedBuffer<float> prefixed_position_;  // [N, D]: position, and the prefix tokens
};

}  // namespace vit
