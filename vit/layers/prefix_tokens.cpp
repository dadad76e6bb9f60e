#include "vit/layers/prefix_tokens.h"

namespace vit {

PrefixTokens::PrefixTokens(Registry& registry, const std::vector<PrefixToken>& tokens, int64_t width) : width_(width) {
  int64_t first = 0;
  for (const PrefixToken& token : tokens) {
    const int parameter =
        registry.parameter(token.name, {1, token.count, width}, {.draw = Draw::truncated_normal(token.deviation)});
    groups_.push_back({parameter, first, token.count});
    first += token.count;
  }
}

void PrefixTokens::add_to_rows(const Packing& packing, TensorView<float> rows) const {
  for (const Group& group : groups_)
    add_to(packing.values(group.parameter).data, group.count * width_, rows[group.first].data());
}

void PrefixTokens::add_gradients(TensorView<const float> drows, const Gradients& gradients) const {
  for (const Group& group : groups_)
    add_to(drows[group.first].data(), group.count * width_, gradients.at(group.parameter));
}

}  // namespace vit
