#include "vit/layers/embedding.h"

#include <algorithm>

namespace vit {
namespace {

constexpr int kDropoutSite = 1 << 20;  // past those of any block

int register_position(Registry& registry, const Embedding::Options& o, int64_t first) {
  if (o.position) return -1;
  return registry.parameter("pos_embed", {1, o.tokens.count() - first, o.width},
                            {.draw = Draw::truncated_normal(0.02f)});
}

}  // namespace

Embedding::Embedding(Registry& registry, const Options& options, const MakeTokenizer& tokenizer)
    : options_(options),
      prefix_(registry, options.prefix, options.width),
      position_first_(options.position_on_prefix ? 0 : options.tokens.prefix),
      position_(register_position(registry, options, position_first_)),
      tokenizer_(tokenizer(registry)),
      norm_(options.norm ? options.norm(registry, "norm_pre", options.width) : nullptr),
      section_(registry.section()) {
  if (position_ >= 0) return;
  fixed_position_ = AlignedBuffer<float>(options.tokens.count() * options.width);
  options.position(options.tokens, TensorView<float>(fixed_position_.data(), {options.tokens.count(), options.width}));
}

void Embedding::pack(const Packing& packing) {
  tokenizer_->pack(packing);
  if (norm_) norm_->pack(packing);
  const int64_t width = options_.width, count = options_.tokens.count() * width;
  if (prefixed_position_.size() == 0) prefixed_position_ = AlignedBuffer<float>(count);
  const int64_t first = position_ >= 0 ? position_first_ * width : 0;
  const ParameterValues learned = position_ >= 0 ? packing.values(position_) : ParameterValues();
  std::fill_n(prefixed_position_.data(), first, 0.0f);
  std::copy_n(position_ >= 0 ? learned.data : fixed_position_.data(), count - first, prefixed_position_.data() + first);
  prefix_.add_to_rows(packing, TensorView<float>(prefixed_position_.data(), {options_.tokens.count(), width}));
}

State Embedding::plan_scratch(Arena& arena, int64_t images, bool training) const {
  Scratch scratch{tokenizer_->plan_scratch(arena, images, training), {}, {}};
  if (!norm_ || !training) return scratch;
  const int64_t rows = images * options_.tokens.count();
  scratch.before = arena.take<float>({rows, options_.width});
  scratch.norm = norm_->plan(arena, rows);
  return scratch;
}

/// All but the norm.
void Embedding::embed(TensorView<const float> input, const Shard& shard, const Scratch& scratch,
                      TensorView<float> x) const {
  const ProfileScope profile("embedding");
  const int64_t own = shard.own(), prefix = shard.tokens.prefix;
  const int64_t skipped = std::max<int64_t>(prefix - shard.first_token, 0);  // own tokens that are not of the grid
  const int64_t first = shard.first_token + skipped - prefix, count = own - skipped;
  for (int64_t b = 0; b < shard.images; ++b) {
    const TensorView<float> image = x.slice(b * own, own);
    std::copy_n(prefixed_position_.data() + shard.first_token * options_.width, own * options_.width, image.data());
    if (count > 0) tokenizer_->forward_add(input, b, first, count, scratch.tokenizer, image.slice(skipped, count));
  }
}

void Embedding::forward(TensorView<const float> input, const Shard& shard, const State& state,
                        TensorView<float> x) const {
  embed(input, shard, state_of<Scratch>(state), x);
  if (norm_) norm_->forward(x, x);
}

void Embedding::forward_train(TensorView<const float> input, const Shard& shard, const State& state,
                              TensorView<float> x) const {
  const auto& scratch = state_of<Scratch>(state);
  const TensorView<float> embedded = norm_ ? scratch.before.slice(0, shard.rows()) : x;
  embed(input, shard, scratch, embedded);
  dropout_rows(shard, embedded, shard.regularization.dropout, kDropoutSite);
  if (norm_) norm_->forward_train(embedded, x, scratch.norm);
}

void Embedding::backward(TensorView<float> dx, TensorView<const float> input, const Shard& shard,
                         const Gradients& gradients, const State& state) const {
  const auto& scratch = state_of<Scratch>(state);
  if (norm_) norm_->backward(dx, scratch.before.slice(0, shard.rows()), scratch.norm, shard, gradients, {}, dx);
  dropout_rows(shard, dx, shard.regularization.dropout, kDropoutSite);
  tokenizer_->backward(dx, input, shard, gradients, scratch.tokenizer);
  const int64_t tokens = shard.tokens.count(), width = options_.width;
  gradients.in_turn(section_, shard, [&] {
    for (int64_t b = 0; b < shard.images; ++b) {
      const TensorView<const float> image = dx.slice(b * tokens, tokens);
      if (shard.tokens.prefix > 0) prefix_.add_gradients(image, gradients);
      if (position_ >= 0)
        add_to(image[position_first_].data(), (tokens - position_first_) * width, gradients.at(position_));
    }
  });
}

}  // namespace vit
