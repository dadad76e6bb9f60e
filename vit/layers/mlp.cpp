#include "vit/layers/mlp.h"

#include "vit/kernels/gelu.h"

namespace vit {

Mlp::Mlp(Registry& registry, const std::string& name, const Options& options)
    : options_(options),
      fc1_(registry, name + ".fc1", options.width, options.hidden, {.product = true}),
      fc2_(registry, name + ".fc2", options.hidden, options.width, {.product = true}) {}

void Mlp::pack(const Packing& packing, const float* output_scale) {
  quantized_ = packing.dtype == DType::i8;
  fc1_.pack(packing);
  fc2_.pack(packing, output_scale);
}

State Mlp::plan(Arena& arena, int64_t rows) const {
  const DType type = between_products(fc1_.type());
  return Saved{arena.take(type, rows, options_.hidden), arena.take(type, rows, options_.hidden)};
}

State Mlp::plan_scratch(Arena& arena, int64_t rows, bool training) const {
  const DType type = between_products(fc1_.type());
  Scratch scratch;
  scratch.hidden = arena.take(type, rows, options_.hidden);
  if (quantized_) scratch.activated = arena.take(DType::i8, rows, options_.hidden);
  if (training) scratch.dy = arena.take(type, rows, options_.width);
  return scratch;
}

void Mlp::forward_add(ConstMatrix x, const State& state, TensorView<float> y) const {
  const auto& scratch = state_of<Scratch>(state);
  const Matrix hidden = scratch.hidden.slice(0, x.rows());
  const Matrix activated = fc2_.type() == DType::i8 ? scratch.activated.slice(0, x.rows()) : hidden;
  fc1_.forward(x, hidden);
  {
    const ProfileScope profile("gelu");
    gelu_forward(hidden, options_.activation, activated, 1 / fc2_.input_scale());
  }
  fc2_.forward(activated, y, true);
}

void Mlp::forward_train(ConstMatrix x, const Shard& shard, const State& state, TensorView<float> y) const {
  const auto& saved = state_of<Saved>(state);
  const Matrix hidden = saved.hidden.slice(0, shard.rows());
  const Matrix activated = saved.activated.slice(0, shard.rows());
  fc1_.forward(x, hidden);
  {
    const ProfileScope profile("gelu");
    gelu_forward(hidden, options_.activation, activated);
  }
  dropout_rows(shard, activated, shard.regularization.dropout, options_.dropout_site);
  fc2_.forward(activated, y);
  dropout_rows(shard, y, shard.regularization.dropout, options_.dropout_site + 1);
}

void Mlp::backward(TensorView<float> dy, ConstMatrix x, const State& state, const Shard& shard,
                   const Gradients& gradients, const State& scratch_state, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Matrix hidden = saved.hidden.slice(0, shard.rows());
  const Matrix activated = saved.activated.slice(0, shard.rows());
  const Matrix dhidden = scratch.hidden.slice(0, shard.rows());
  dropout_rows(shard, dy, shard.regularization.dropout, options_.dropout_site + 1);
  fc2_.backward(for_product(dy, scratch.dy), activated, shard, gradients, dhidden);
  dropout_rows(shard, dhidden, shard.regularization.dropout, options_.dropout_site);
  {
    const ProfileScope profile("gelu backward");
    gelu_backward(dhidden, hidden, options_.activation, dhidden);
  }
  fc1_.backward(dhidden, x, shard, gradients, dx);
}

}  // namespace vit
