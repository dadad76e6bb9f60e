#include "vit/layers/relative_bias.h"

namespace vit {
namespace {

int64_t steps(const Tokens& t) { return (2 * t.rows - 1) * (2 * t.cols - 1); }

/// Rows behind those of the steps: from a prefix token, to one, between two.
int32_t row_of(const Tokens& t, int64_t query, int64_t key) {
  const auto first = static_cast<int32_t>(steps(t));
  const int64_t q = query - t.prefix, k = key - t.prefix;
  if (q < 0) return k < 0 ? first + 2 : first;
  if (k < 0) return first + 1;
  const int64_t down = q / t.cols - k / t.cols + t.rows - 1, across = q % t.cols - k % t.cols + t.cols - 1;
  return static_cast<int32_t>(down * (2 * t.cols - 1) + across);
}

}  // namespace

RelativeBias::RelativeBias(Registry& registry, const std::string& name, const Tokens& tokens, int64_t heads)
    : tokens_(tokens),
      heads_(heads),
      table_(registry.parameter(name + ".relative_position_bias_table",
                                {steps(tokens) + (tokens.prefix > 0 ? 3 : 0), heads},
                                {.draw = Draw::truncated_normal(0.02f)})),
      section_(registry.section()) {
  for (int64_t q = 0; q < tokens.count(); ++q)
    for (int64_t k = 0; k < tokens.count(); ++k) index_.push_back(row_of(tokens, q, k));
}

void RelativeBias::pack(const Packing& packing) {
  const auto cells = static_cast<int64_t>(index_.size());
  if (bias_.size() == 0) bias_ = AlignedBuffer<float>(heads_ * cells);
  const ParameterValues table = packing.values(table_);
  for (int64_t h = 0; h < heads_; ++h)
    for (int64_t i = 0; i < cells; ++i)
      bias_.data()[h * cells + i] = table.data[index_[static_cast<std::size_t>(i)] * heads_ + h];
}

TensorView<const float> RelativeBias::of_head(int64_t head) const {
  const int64_t tokens = tokens_.count();
  return {bias_.data() + head * tokens * tokens, {tokens, tokens}};
}

void RelativeBias::backward(TensorView<const float> dbias, const Shard& shard, const Gradients& gradients) const {
  const int64_t cells = dbias.dim(1) * dbias.dim(2);
  gradients.in_turn(section_, shard, [&] {
    float* table = gradients.at(table_);
    for (int64_t h = 0; h < heads_; ++h) {
      const float* own = dbias[h].data();
      for (int64_t i = 0; i < cells; ++i) table[index_[static_cast<std::size_t>(i)] * heads_ + h] += own[i];
    }
  });
}

}  // namespace vit
