#include "vit/layers/patch_tokenizer.h"

#include <cmath>

namespace vit {
namespace {

int64_t patch_dim(const PatchTokenizer::Options& o) { return o.channels * o.patch_size * o.patch_size; }

Linear make_projection(Registry& registry, const PatchTokenizer::Options& o) {
  const Draw draw = Draw::uniform(1 / std::sqrt(static_cast<float>(patch_dim(o))));
  return Linear(registry, "patch_embed.proj", patch_dim(o), o.width,
                {.bias = o.bias,
                 .weight_shape = {o.width, o.channels, o.patch_size, o.patch_size},
                 .weight_draw = draw,
                 .bias_draw = draw});
}

}  // namespace

PatchTokenizer::PatchTokenizer(Registry& registry, const Options& options)
    : options_(options),
      proj_(make_projection(registry, options)),
      norm_(options.norm ? options.norm(registry, "patch_embed.norm", options.width) : nullptr) {}

void PatchTokenizer::pack(const Packing& packing) {
  proj_.pack(packing);
  if (norm_) norm_->pack(packing);
}

State PatchTokenizer::plan_scratch(Arena& arena, int64_t images, bool training) const {
  Scratch scratch;
  const int64_t rows = images * options_.patches;
  if (proj_.type() != DType::f32) scratch.patches = arena.take(proj_.type(), rows, patch_dim(options_));
  if (training) scratch.dpatches = arena.take(proj_.type(), rows, options_.width);
  if (!norm_) return scratch;
  scratch.normed = arena.take<float>({training ? rows : options_.patches, options_.width});
  if (!training) return scratch;
  scratch.projected = arena.take<float>({rows, options_.width});
  scratch.norm = norm_->plan(arena, rows);
  return scratch;
}

void PatchTokenizer::forward_add(TensorView<const float> patches, int64_t image, int64_t first, int64_t count,
                                 const State& state, TensorView<float> x) const {
  const auto& scratch = state_of<Scratch>(state);
  const int64_t begin = image * options_.patches + first;
  const TensorView<const float> rows = patches.slice(begin, count);
  const ConstMatrix input =
      scratch.patches ? for_product(rows, scratch.patches.slice(begin, count)) : ConstMatrix(rows);
  if (norm_) return forward_norm(input, image, first, scratch, x);
  proj_.forward(input, x, true);
}

/// x += the normed projection of `input`.
void PatchTokenizer::forward_norm(ConstMatrix input, int64_t image, int64_t first, const Scratch& scratch,
                                  TensorView<float> x) const {
  const bool training = static_cast<bool>(scratch.projected);
  const int64_t begin = training ? image * options_.patches + first : first, count = input.rows();
  const TensorView<float> normed = scratch.normed.slice(begin, count);
  const TensorView<float> projected = training ? scratch.projected.slice(begin, count) : normed;
  proj_.forward(input, projected);
  if (training)
    norm_->forward_train(projected, normed, scratch.norm.slice(begin, count));
  else
    norm_->forward(projected, normed);
  add_to(normed.data(), normed.size(), x.data());
}

/// The rows of dx that are tokens of the grid.
void PatchTokenizer::gather_gradients(TensorView<const float> dx, const Shard& shard, Matrix rows) const {
  const int64_t tokens = shard.tokens.count(), count = options_.patches;
  for (int64_t b = 0; b < shard.images; ++b)
    convert(dx.slice(b * tokens + shard.tokens.prefix, count), rows.slice(b * count, count));
}

void PatchTokenizer::backward(TensorView<const float> dx, TensorView<const float> patches, const Shard& shard,
                              const Gradients& gradients, const State& state) const {
  const auto& scratch = state_of<Scratch>(state);
  const int64_t rows = patches.rows();
  const Matrix dprojected = scratch.dpatches.slice(0, rows);
  if (norm_) {
    const TensorView<float> dnormed = scratch.normed.slice(0, rows);
    gather_gradients(dx, shard, dnormed);
    norm_->backward(dnormed, scratch.projected.slice(0, rows), scratch.norm, shard, gradients, {}, dnormed);
    convert(dnormed, dprojected);
  } else {
    gather_gradients(dx, shard, dprojected);
  }
  const ConstMatrix input = scratch.patches ? for_product(patches, scratch.patches) : ConstMatrix(patches);
  proj_.backward(dprojected, input, shard, gradients, {});
}

}  // namespace vit
