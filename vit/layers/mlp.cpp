#include "vit/layers/mlp.h"

#include "vit/kernels/gelu.h"

namespace vit {

Mlp::Mlp(Registry& registry, const std::string& name, const Options& options)
    : options_(options),
      fc1_(registry, name + ".fc1", options.width, options.hidden),
      fc2_(registry, name + ".fc2", options.hidden, options.width) {}

void Mlp::pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training) {
  fc1_.pack(layout, weights, training);
  fc2_.pack(layout, weights, training);
}

Mlp::Saved Mlp::plan(Arena& arena, int64_t rows) const {
  return {arena.take<float>({rows, options_.hidden}), arena.take<float>({rows, options_.hidden})};
}

void Mlp::forward_add(TensorView<const float> x, const Scratch& scratch, TensorView<float> y) const {
  const TensorView<float> hidden = scratch.hidden.slice(0, x.rows());
  fc1_.forward(x, hidden, options_.activation);
  fc2_.forward(hidden, y, Activation::none, true);
}

void Mlp::forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, TensorView<float> y) const {
  const TensorView<float> hidden = saved.hidden.slice(0, shard.rows());
  const TensorView<float> activated = saved.activated.slice(0, shard.rows());
  fc1_.forward(x, hidden);
  gelu_forward(hidden, options_.activation, activated);
  dropout_rows(shard, activated, shard.regularization.dropout, options_.dropout_site);
  fc2_.forward(activated, y);
  dropout_rows(shard, y, shard.regularization.dropout, options_.dropout_site + 1);
}

void Mlp::backward(TensorView<float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                   const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const {
  const TensorView<float> hidden = saved.hidden.slice(0, shard.rows());
  const TensorView<float> activated = saved.activated.slice(0, shard.rows());
  const TensorView<float> dhidden = scratch.hidden.slice(0, shard.rows());
  dropout_rows(shard, dy, shard.regularization.dropout, options_.dropout_site + 1);
  fc2_.backward(dy, activated, shard, gradients, dhidden);
  dropout_rows(shard, dhidden, shard.regularization.dropout, options_.dropout_site);
  gelu_backward(dhidden, hidden, options_.activation, dhidden);
  fc1_.backward(dhidden, x, shard, gradients, dx);
}

}  // namespace vit
