#include "vit/layers/swiglu.h"

#include "vit/kernels/gated.h"

namespace vit {

SwiGlu::SwiGlu(Registry& registry, const std::string& name, const Options& options)
    : options_(options),
      fc1_(registry, name + ".fc1", options.width, 2 * options.hidden, {.product = true}),
      fc2_(registry, name + ".fc2", options.hidden, options.width, {.product = true}) {
  registry.channels(
      {fc1_.outputs_from(options.hidden), fc2_.weight()});  // a gate multiplies what is linear in the value
}

void SwiGlu::pack(const Packing& packing, const float* output_scale) {
  fc1_.pack(packing);
  fc2_.pack(packing, output_scale);
}

State SwiGlu::plan(Arena& arena, int64_t rows) const {
  const DType type = between_products(fc1_.type());
  return Saved{arena.take(type, rows, 2 * options_.hidden), arena.take(type, rows, options_.hidden)};
}

State SwiGlu::plan_scratch(Arena& arena, int64_t rows, bool training) const {
  const DType type = between_products(fc1_.type());
  Scratch scratch;
  scratch.hidden = arena.take(type, rows, 2 * options_.hidden);
  scratch.gated = arena.take(type, rows, options_.hidden);
  if (training) scratch.dy = arena.take(type, rows, options_.width);
  return scratch;
}

void SwiGlu::forward_add(ConstMatrix x, const State& state, TensorView<float> y) const {
  const auto& scratch = state_of<Scratch>(state);
  const Matrix hidden = scratch.hidden.slice(0, x.rows());
  const Matrix gated = scratch.gated.slice(0, x.rows()).as(fc2_.type());
  fc1_.forward(x, hidden);
  {
    const ProfileScope profile("swiglu");
    swiglu_forward(hidden, gated, 1 / fc2_.input_scale());
  }
  fc2_.forward(gated, y, true);
}

void SwiGlu::forward_train(ConstMatrix x, const Shard& shard, const State& state, TensorView<float> y) const {
  const auto& saved = state_of<Saved>(state);
  const Matrix hidden = saved.hidden.slice(0, shard.rows());
  const Matrix gated = saved.gated.slice(0, shard.rows());
  fc1_.forward(x, hidden);
  {
    const ProfileScope profile("swiglu");
    swiglu_forward(hidden, gated);
  }
  dropout_rows(shard, gated, shard.regularization.dropout, options_.dropout_site);
  fc2_.forward(gated, y);
  dropout_rows(shard, y, shard.regularization.dropout, options_.dropout_site + 1);
}

void SwiGlu::backward(TensorView<float> dy, ConstMatrix x, const State& state, const Shard& shard,
                      const Gradients& gradients, const State& scratch_state, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Matrix dhidden = scratch.hidden.slice(0, shard.rows());
  const Matrix dgated = scratch.gated.slice(0, shard.rows());
  dropout_rows(shard, dy, shard.regularization.dropout, options_.dropout_site + 1);
  fc2_.backward(for_product(dy, scratch.dy), saved.gated.slice(0, shard.rows()), shard, gradients, dgated);
  dropout_rows(shard, dgated, shard.regularization.dropout, options_.dropout_site);
  {
    const ProfileScope profile("swiglu backward");
    swiglu_backward(dgated, saved.hidden.slice(0, shard.rows()), dhidden);
  }
  fc1_.backward(dhidden, x, shard, gradients, dx);
}

}  // namespace vit
