#include "vit/layers/block.h"

#include <algorithm>

namespace vit {
namespace {

// Sites of one block: attention probabilities, projection, fc1, fc2, and the two branches.
constexpr int kSites = 6;
int site(const Block::Options& o, int which) { return static_cast<int>(o.index) * kSites + which; }

MixerPlace place_of(const Block::Options& o) {
  return {.tokens = o.tokens, .block = o.index, .depth = o.depth, .class_row = o.class_row, .dropout_site = site(o, 0)};
}

Residual::Options residual_options(const Block::Options& o, int which) {
  const float share = o.depth > 1 ? static_cast<float>(o.index) / static_cast<float>(o.depth - 1) : 1.0f;
  return {.width = o.width,
          .layer_scale = o.layer_scale,
          .layer_scale_init = o.layer_scale_init,
          .drop_path_share = share,
          .drop_path_site = site(o, which)};
}

/// Rows of an inference pass that go through a block's products together: about as many as the model is wide. Then an
/// activation is as large as the weight that it is multiplied by, and the cache has to bring in neither more often.
int64_t chunk_rows(const Block::Options& o, int64_t rows) {
  const int64_t chunks = std::max<int64_t>(1, (rows + o.width / 2) / o.width);
  return (rows + chunks - 1) / chunks;
}

/// body(begin, count) for pieces of `rows`, equal but for the last; a short one would cost as much as a long one.
template <class Body>
void for_chunks(int64_t rows, int64_t largest, Body body) {
  if (rows == 0) return;
  const int64_t chunks = (rows + largest - 1) / largest, chunk = (rows + chunks - 1) / chunks;
  for (int64_t begin = 0; begin < rows; begin += chunk) body(begin, std::min(chunk, rows - begin));
}

}  // namespace

Block::Block(Registry& registry, const std::string& name, const Options& o, const BlockParts& parts)
    : options_(o),
      norm1_(parts.norm(registry, name + ".norm1", o.width)),
      mixer_(parts.mixer(registry, name + ".attn", place_of(o))),
      residual1_(registry, name + ".ls1", residual_options(o, 4)),
      norm2_(parts.norm(registry, name + ".norm2", o.width)),
      feed_forward_(parts.feed_forward(registry, name + ".mlp", site(o, 2))),
      residual2_(registry, name + ".ls2", residual_options(o, 5)) {
  registry.channels({norm1_->outputs(), mixer_->input_weight()});
  registry.channels({norm2_->outputs(), feed_forward_->input_weight()});
}

void Block::pack(const Packing& packing) {
  residual1_.pack(packing);
  residual2_.pack(packing);
  // In inference layer scale is part of the weights before it.
  mixer_->pack(packing, packing.training ? nullptr : residual1_.gamma());
  feed_forward_->pack(packing, packing.training ? nullptr : residual2_.gamma());
  norm1_->pack(packing, 1 / mixer_->input_scale());
  norm2_->pack(packing, 1 / feed_forward_->input_scale());
}

StageFlops Block::flops(const Shard& in) const {
  const Shard out = leaving(in);
  const MixerFlops mixer = mixer_->flops(in, out);
  return {.linear = mixer.project + mixer.merge + feed_forward_->flops(out.rows()),
          .attention = mixer.attend,
          .projected = mixer.project};
}

// ---- inference ----

Matrix Block::plan_shared(Arena& arena, const Shard& largest) const {
  return mixer_->plan_projected(arena, largest.images * largest.tokens.count());
}

State Block::plan_scratch(Arena& arena, const Shard& largest, bool training) const {
  const int64_t rows = largest.rows();
  const Shard out = leaving(largest);
  Scratch scratch;
  scratch.chunk = training ? rows : chunk_rows(options_, rows);
  scratch.mixer = mixer_->plan_scratch(arena, largest, out, training);
  scratch.feed_forward = feed_forward_->plan_scratch(arena, std::min(scratch.chunk, out.rows()), training);
  if (training) {
    if (options_.class_row) scratch.leaving = arena.take<float>({out.rows(), options_.width});
    scratch.dnormed = arena.take<float>({rows, options_.width});
    scratch.branch = arena.take<float>({out.rows(), options_.width});
  } else {
    // Class tokens' rows are picked out of whole images.
    const int64_t normed = std::max(scratch.chunk, largest.own());
    scratch.normed = arena.take(between_products(mixer_->input_type()), normed, options_.width);
  }
  return scratch;
}

void Block::begin(TensorView<const float> x, const Shard& shard, Matrix shared, const State& state) const {
  const auto& scratch = state_of<Scratch>(state);
  // Whole images only where the class tokens' rows are picked out of them.
  const int64_t unit = options_.class_row ? shard.own() : 1;
  for_chunks(shard.rows() / unit, scratch.normed.rows() / unit, [&](int64_t begin, int64_t count) {
    const Matrix normed = scratch.normed.slice(0, count * unit).as(mixer_->input_type());
    norm1_->forward(x.slice(begin * unit, count * unit), normed);
    mixer_->project(normed, shard.first_token + begin * unit, shard, shared, scratch.mixer);
  });
}

void Block::end(TensorView<float> x, const Shard& shard, ConstMatrix shared, const State& state,
                TensorView<float> out) const {
  const auto& scratch = state_of<Scratch>(state);
  const Shard leave = leaving(shard);
  const Matrix mixed = mixer_->attend(shared, leave, scratch.mixer);
  if (options_.class_row) convert(x.every(shard.own()), out);
  for_chunks(leave.rows(), std::min(scratch.chunk, leave.rows()), [&](int64_t begin, int64_t count) {
    const TensorView<float> rows = out.slice(begin, count);
    const Matrix normed = scratch.normed.slice(0, count).as(feed_forward_->input_type());
    mixer_->merge_add(mixed.slice(begin, count), rows);
    norm2_->forward(rows, normed);
    feed_forward_->forward_add(normed, scratch.feed_forward, rows);
  });
}

// ---- training ----

State Block::plan_recomputed(Arena& arena, const Shard& largest, Recompute recompute) const {
  Saved saved;
  if (recompute == Recompute::block) saved = plan_around_mixer(arena, largest);
  if (recompute != Recompute::none) saved.mixer = mixer_->plan(arena, largest, leaving(largest));
  return saved;
}

State Block::plan(Arena& arena, const Shard& largest, Recompute recompute, const State& recomputed) const {
  const auto& again = state_of<Saved>(recomputed);
  Saved saved = recompute == Recompute::block ? again : plan_around_mixer(arena, largest);
  saved.mixer = recompute == Recompute::none ? mixer_->plan(arena, largest, leaving(largest)) : again.mixer;
  saved.mixer_shared = recompute == Recompute::attention;
  return saved;
}

Block::Saved Block::plan_around_mixer(Arena& arena, const Shard& largest) const {
  const Shard out = leaving(largest);
  Saved saved;
  saved.norm1 = norm1_->plan(arena, largest.rows());
  saved.normed1 = arena.take(mixer_->input_type(), largest.rows(), options_.width);
  saved.residual1 = residual1_.plan(arena, out.rows());
  saved.middle = arena.take<float>({out.rows(), options_.width});
  saved.norm2 = norm2_->plan(arena, out.rows());
  saved.normed2 = arena.take(feed_forward_->input_type(), out.rows(), options_.width);
  saved.feed_forward = feed_forward_->plan(arena, out.rows());
  saved.residual2 = residual2_.plan(arena, out.rows());
  return saved;
}

void Block::forward_train(TensorView<const float> x, const Shard& shard, const State& state, const State& scratch_state,
                          TensorView<float> out) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Shard leave = leaving(shard);
  const Matrix normed1 = saved.normed1.slice(0, shard.rows());
  const TensorView<float> middle = saved.middle.slice(0, leave.rows());
  const Matrix normed2 = saved.normed2.slice(0, leave.rows());
  norm1_->forward_train(x, normed1, saved.norm1);
  mixer_->forward_train(normed1, shard, leave, saved.mixer, scratch.mixer, middle);
  if (options_.class_row) {
    const TensorView<float> rows = scratch.leaving.slice(0, shard.images);
    convert(x.every(shard.own()), rows);
    x = rows;
  }
  residual1_.forward_train(x, leave, saved.residual1, middle);
  norm2_->forward_train(middle, normed2, saved.norm2);
  feed_forward_->forward_train(normed2, leave, saved.feed_forward, out);
  residual2_.forward_train(middle, leave, saved.residual2, out);
}

void Block::backward(TensorView<float> dout, TensorView<const float> x, const State& state, const Shard& shard,
                     const Gradients& gradients, const State& scratch_state, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Shard leave = leaving(shard);
  const Matrix normed1 = saved.normed1.slice(0, shard.rows());
  const TensorView<float> middle = saved.middle.slice(0, leave.rows());
  const TensorView<float> dnormed2 = scratch.dnormed.slice(0, leave.rows());
  const TensorView<float> dnormed1 = scratch.dnormed.slice(0, shard.rows());
  const bool dropout_inside = shard.regularization.dropout > 0;

  TensorView<float> dbranch =
      residual2_.backward(dout, saved.residual2, leave, gradients, scratch.branch, dropout_inside);
  feed_forward_->backward(dbranch, saved.normed2.slice(0, leave.rows()), saved.feed_forward, leave, gradients,
                          scratch.feed_forward, dnormed2);
  norm2_->backward(dnormed2, middle, saved.norm2, leave, gradients, dout, dout);

  if (saved.mixer_shared) mixer_->recompute(normed1, shard, leave, saved.mixer, scratch.mixer);
  dbranch = residual1_.backward(dout, saved.residual1, leave, gradients, scratch.branch, dropout_inside);
  mixer_->backward(dbranch, normed1, saved.mixer, shard, leave, gradients, scratch.mixer, dnormed1);
  TensorView<float> past_branch = dout;
  if (options_.class_row) {
    std::fill_n(dx.data(), dx.size(), 0.0f);
    convert(dout, dx.every(shard.tokens.count()));
    past_branch = dx;
  }
  norm1_->backward(dnormed1, x, saved.norm1, shard, gradients, past_branch, dx);
}

}  // namespace vit
