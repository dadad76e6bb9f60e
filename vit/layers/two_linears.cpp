#include "vit/layers/two_linears.h"

namespace vit {

TwoLinears::TwoLinears(Registry& registry, const std::string& name, const Options& options)
    : options_(options),
      fc1_(registry, name + ".fc1", options.width, options.parts * options.hidden, {.product = options.product}),
      norm_(options.norm ? options.norm(registry, name + ".norm", options.hidden) : nullptr),
      fc2_(registry, name + ".fc2", options.hidden, options.width, {.product = options.product}) {
  if (norm_) registry.channels({norm_->outputs(), fc2_.weight()});
}

void TwoLinears::pack(const Packing& packing, const float* output_scale) {
  fc1_.pack(packing);
  fc2_.pack(packing, output_scale);
  if (norm_) norm_->pack(packing, 1 / fc2_.input_scale());
}

State TwoLinears::plan(Arena& arena, int64_t rows) const {
  const DType type = between_products(fc1_.type());
  Saved saved{
      arena.take(type, rows, options_.parts * options_.hidden), arena.take(type, rows, options_.hidden), {}, {}};
  saved.normed = norm_ ? arena.take(type, rows, options_.hidden) : saved.activated;
  if (norm_) saved.norm = norm_->plan(arena, rows);
  return saved;
}

State TwoLinears::plan_scratch(Arena& arena, int64_t rows, bool training) const {
  const DType type = between_products(fc1_.type());
  Scratch scratch;
  scratch.hidden = arena.take(type, rows, options_.parts * options_.hidden);
  const bool in_place = options_.parts == 1 && fc2_.type() != DType::i8;
  scratch.activated = in_place ? scratch.hidden : arena.take(fc2_.type(), rows, options_.hidden);
  if (training) scratch.dy = arena.take(type, rows, options_.width);
  return scratch;
}

void TwoLinears::forward_add(ConstMatrix x, const State& state, TensorView<float> y) const {
  const auto& scratch = state_of<Scratch>(state);
  const Matrix hidden = scratch.hidden.slice(0, x.rows());
  const Matrix activated = scratch.activated.slice(0, x.rows());
  fc1_.forward(x, hidden);
  if (norm_) {
    const Matrix between = hidden.columns(0, options_.hidden);
    activate(hidden, between, 1);
    norm_->forward(between, activated);
  } else {
    activate(hidden, activated, 1 / fc2_.input_scale());
  }
  fc2_.forward(activated, y, true);
}

void TwoLinears::forward_train(ConstMatrix x, const Shard& shard, const State& state, TensorView<float> y) const {
  const auto& saved = state_of<Saved>(state);
  const Matrix hidden = saved.hidden.slice(0, shard.rows());
  const Matrix activated = saved.activated.slice(0, shard.rows());
  fc1_.forward(x, hidden);
  activate(hidden, activated, 1);
  dropout_rows(shard, activated, shard.regularization.dropout, options_.dropout_site);
  const Matrix normed = saved.normed.slice(0, shard.rows());
  if (norm_) norm_->forward_train(activated, normed, saved.norm);
  fc2_.forward(normed, y);
  dropout_rows(shard, y, shard.regularization.dropout, options_.dropout_site + 1);
}

void TwoLinears::backward(TensorView<float> dy, ConstMatrix x, const State& state, const Shard& shard,
                          const Gradients& gradients, const State& scratch_state, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Matrix dhidden = scratch.hidden.slice(0, shard.rows());
  const Matrix dactivated = scratch.activated.slice(0, shard.rows());
  dropout_rows(shard, dy, shard.regularization.dropout, options_.dropout_site + 1);
  fc2_.backward(for_product(dy, scratch.dy), saved.normed.slice(0, shard.rows()), shard, gradients, dactivated);
  if (norm_)
    norm_->backward(dactivated, saved.activated.slice(0, shard.rows()), saved.norm, shard, gradients, {}, dactivated);
  dropout_rows(shard, dactivated, shard.regularization.dropout, options_.dropout_site);
  activate_backward(dactivated, saved.hidden.slice(0, shard.rows()), dhidden);
  fc1_.backward(dhidden, x, shard, gradients, dx);
}

}  // namespace vit
