#include "vit/layers/patch_tokenizer.h"

#include <cmath>

namespace vit {
namespace {

int64_t patch_dim(const PatchTokenizer::Options& o) { return o.channels * o.patch_size * o.patch_size; }

Linear make_projection(Registry& registry, const PatchTokenizer::Options& o) {
  const Draw draw = Draw::uniform(1 / std::sqrt(static_cast<float>(patch_dim(o))));
  return Linear(
      registry, "patch_embed.proj", patch_dim(o), o.width,
      {.weight_shape = {o.width, o.channels, o.patch_size, o.patch_size}, .weight_draw = draw, .bias_draw = draw});
}

}  // namespace

PatchTokenizer::PatchTokenizer(Registry& registry, const Options& options)
    : options_(options), proj_(make_projection(registry, options)) {}

State PatchTokenizer::plan_scratch(Arena& arena, int64_t images, bool training) const {
  Scratch scratch;
  const int64_t rows = images * options_.patches;
  if (proj_.type() != DType::f32) scratch.patches = arena.take(proj_.type(), rows, patch_dim(options_));
  if (training) scratch.dpatches = arena.take(proj_.type(), rows, options_.width);
  return scratch;
}

void PatchTokenizer::forward_add(TensorView<const float> patches, int64_t image, int64_t first, int64_t count,
                                 const State& state, TensorView<float> x) const {
  const auto& scratch = state_of<Scratch>(state);
  const int64_t begin = image * options_.patches + first;
  const TensorView<const float> rows = patches.slice(begin, count);
  const ConstMatrix input =
      scratch.patches ? for_product(rows, scratch.patches.slice(begin, count)) : ConstMatrix(rows);
  proj_.forward(input, x, true);
}

void PatchTokenizer::backward(TensorView<const float> dx, TensorView<const float> patches, const Shard& shard,
                              const Gradients& gradients, const State& state) const {
  const auto& scratch = state_of<Scratch>(state);
  const Matrix dprojected = scratch.dpatches.slice(0, patches.rows());
  const int64_t tokens = shard.tokens.count(), count = options_.patches;
  for (int64_t b = 0; b < shard.images; ++b)
    convert(dx.slice(b * tokens + shard.tokens.prefix, count), dprojected.slice(b * count, count));
  const ConstMatrix input = scratch.patches ? for_product(patches, scratch.patches) : ConstMatrix(patches);
  proj_.backward(dprojected, input, shard, gradients, {});
}

}  // namespace vit
