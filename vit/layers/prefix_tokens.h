// Learned tokens in front of the grid: the class token.
#pragma once

#include <string>
#include <vector>

#include "vit/core/arena.h"
#include "vit/layers/context.h"

namespace vit {

/// A parameter `name` [1, count, D], drawn as a truncated normal.
struct PrefixToken {
  std::string name;
  int64_t count = 1;
  float deviation = 0.02f;
};

class PrefixTokens {
 public:
  /// In the order of the tokens.
  PrefixTokens(Registry& registry, const std::vector<PrefixToken>& tokens, int64_t width);

  /// rows [prefix, D] += the tokens.
  void add_to_rows(const Packing& packing, TensorView<float> rows) const;
  /// From the gradients of an image's first rows [prefix, D]; called in turn.
  void add_gradients(TensorView<const float> drows, const Gradients& gradients) const;

 private:
  struct Group {
    int parameter = -1;
    int64_t first = 0, count = 0;
  };
  std::vector<Group> groups_;
  int64_t width_;
};

}  // namespace vit
