#include "infer/attention_map.h"

#include <numeric>

#include "vit/core/error.h"
#include "vit/model/parts.h"

namespace vit {
namespace {

using Row = std::vector<double>;  // [N], one weight a token

/// row [N] times the layer's attention [N, N], averaged over heads.
Row through_layer(const Row& row, TensorView<const float> attention, int64_t layer, int64_t heads) {
  const auto tokens = static_cast<int64_t>(row.size());
  Row read(row.size(), 0.0);
  for (int64_t head = 0; head < heads; ++head) {
    const TensorView<const float> scores = attention[layer * heads + head];
    for (int64_t query = 0; query < tokens; ++query) {
      const double weight = row[static_cast<std::size_t>(query)] / static_cast<double>(heads);
      if (weight == 0) continue;
      const float* key = scores.data() + query * tokens;
      for (int64_t k = 0; k < tokens; ++k) read[static_cast<std::size_t>(k)] += weight * static_cast<double>(key[k]);
    }
  }
  return read;
}

/// How much of the pooled features comes from each token.
Row pooling_row(const ModelConfig& config, const Tokens& tokens) {
  Row row(static_cast<std::size_t>(tokens.count()), 0.0);
  readouts().at(config.pooling).shares(config, tokens, row.data());
  return row;
}

}  // namespace

AttentionMap attention_map(TensorView<const float> attention, const ModelConfig& config, AttentionMethod method) {
  const Tokens places = config.tokens();
  const int64_t tokens = places.count();
  if (attention.rank() != 2 || attention.rows() != config.depth * config.heads || attention.cols() != tokens * tokens)
    fail(ErrorKind::usage, "[explain] attention: needs [", config.depth * config.heads, ", ", tokens * tokens,
         "] (L*H, N*N), has another shape");
  Row row = pooling_row(config, places);
  if (method == AttentionMethod::last_layer) {
    row = through_layer(row, attention, config.depth - 1, config.heads);
  } else {
    // One row of the product of (A + I) / 2 over the layers, last layer first: N*N work a layer, not N*N*N.
    for (int64_t layer = config.depth - 1; layer >= 0; --layer) {
      const Row read = through_layer(row, attention, layer, config.heads);
      for (std::size_t t = 0; t < row.size(); ++t) row[t] = 0.5 * row[t] + 0.5 * read[t];
    }
  }
  const auto first = static_cast<std::size_t>(places.prefix);
  const double sum = std::accumulate(row.begin() + static_cast<std::ptrdiff_t>(first), row.end(), 0.0);
  AttentionMap map;
  map.grid = places.rows;
  for (std::size_t t = first; t < row.size(); ++t) map.shares.push_back(static_cast<float>(sum > 0 ? row[t] / sum : 0));
  return map;
}

}  // namespace vit
