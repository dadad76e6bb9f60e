// What may stand between the queries and keys that a product gave and attention: norms, rotations.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vit/core/arena.h"
#include "vit/layers/context.h"
#include "vit/layers/mixer.h"

namespace vit {

enum class QueryOrKey { query, key };

/// Which tokens the rows of a matrix are: row i is token (first + i * step) % count of its image.
struct RowTokens {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 1;
  int64_t operator[](int64_t row) const { return (first + row * step) % count; }
};

/// Changes queries and keys in place. Rows hold the heads side by side [m, D]; elements are fp32 or bf16.
class QueryKeyMap {
 public:
  virtual ~QueryKeyMap() = default;

  virtual void pack(const Packing& packing) = 0;
  /// What backward needs, for so many rows of queries and of keys, of one type.
  virtual State plan(Arena& arena, int64_t queries, int64_t keys, DType type) const = 0;

  virtual void forward(Matrix x, QueryOrKey which, const RowTokens& tokens) const = 0;
  /// The same for all rows of a shard, and what backward needs.
  virtual void forward_train(Matrix x, QueryOrKey which, const RowTokens& tokens, const State& saved) const = 0;
  /// dx in place, from the gradient of the mapped rows to that of the rows before; `x` as the last map left them. Sums
  /// of parameters' gradients stay in `saved` ...
  virtual void backward(Matrix dx, ConstMatrix x, QueryOrKey which, const RowTokens& tokens,
                        const State& saved) const = 0;
  /// ... until queries and keys have both been there.
  virtual void add_gradients(const State& saved, const Shard& shard, const Gradients& gradients) const = 0;
};

/// Makes the map of one attention layer, `name`.
using MakeQueryKeyMap =
    std::function<std::unique_ptr<QueryKeyMap>(Registry& registry, const std::string& name, const MixerPlace& place)>;

}  // namespace vit
