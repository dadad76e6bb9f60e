// A norm of each head's queries and keys, before the scores: Dehghani et al., arXiv:2302.05442.
#pragma once

#include <array>
#include <string>

#include "vit/kernels/head_norm.h"
#include "vit/layers/query_key_map.h"

namespace vit {

class QueryKeyNorm final : public QueryKeyMap {
 public:
  struct Options {
    HeadNorm::Kind kind = HeadNorm::Kind::layer;
    int64_t heads = 0;
    int64_t head_size = 0;
    float eps = 1e-6f;
  };
  /// Registers `<name>.q_norm.weight` [K] and bias, and `<name>.k_norm`; RMS norms have no bias.
  QueryKeyNorm(Registry& registry, const std::string& name, const Options& options);

  void pack(const Packing& packing) override;
  State plan(Arena& arena, int64_t queries, int64_t keys, DType type) const override;
  void forward(Matrix x, QueryOrKey which, const RowTokens& tokens) const override;
  void forward_train(Matrix x, QueryOrKey which, const RowTokens& tokens, const State& saved) const override;
  void backward(Matrix dx, ConstMatrix x, QueryOrKey which, const RowTokens& tokens, const State& saved) const override;
  void add_gradients(const State& saved, const Shard& shard, const Gradients& gradients) const override;

 private:
  struct Part {  // of the queries or of the keys
    int weight = -1, bias = -1;
    AlignedBuffer<float> gamma, beta;
  };
  struct SavedPart {
    Matrix before;                    // [M, D]
    TensorView<float> mean, rstd;     // [M, H]
    TensorView<float> dgamma, dbeta;  // [K], this shard's
  };
  using Saved = std::array<SavedPart, 2>;

  HeadNorm norm_of(const Part& part) const;

  Options options_;
  std::array<Part, 2> parts_;
  int section_;
};

}  // namespace vit
