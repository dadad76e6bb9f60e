#include "vit/layers/patch_embed.h"

#include <algorithm>

namespace vit {
namespace {

constexpr int kDropoutSite = 1 << 20;  // past those of any block

Linear make_projection(Registry& registry, const PatchEmbed::Options& o) {
  return Linear(registry, "patch_embed.proj", o.channels * o.patch_size * o.patch_size, o.width,
                {.bias = true, .weight_shape = {o.width, o.channels, o.patch_size, o.patch_size}});
}

int register_if(bool wanted, Registry& registry, const char* name, std::vector<int64_t> shape) {
  return wanted ? registry.parameter(name, std::move(shape), false) : -1;
}

}  // namespace

PatchEmbed::PatchEmbed(Registry& registry, const Options& options)
    : width_(options.width),
      patches_(options.grid * options.grid),
      prefix_(options.class_token ? 1 : 0),
      dropout_site_(kDropoutSite),
      class_token_(register_if(options.class_token, registry, "cls_token", {1, 1, width_})),
      position_(register_if(options.position == PositionEmbedding::learned, registry, "pos_embed",
                            {1, prefix_ + patches_, width_})),
      proj_(make_projection(registry, options)),
      section_(registry.section()) {
  if (position_ >= 0) return;
  fixed_position_ = AlignedBuffer<float>((prefix_ + patches_) * width_);
  // The class token has no place in the picture: its row of the two-dimensional table stays zero.
  if (options.position == PositionEmbedding::sincos_1d)
    sincos_1d(TensorView<float>(fixed_position_.data(), {prefix_ + patches_, width_}));
  else
    sincos_2d(options.grid, TensorView<float>(fixed_position_.data() + prefix_ * width_, {patches_, width_}));
}

void PatchEmbed::pack(const ParameterLayout& layout, const ParameterBlock& weights) {
  proj_.pack(layout, weights, false);
  class_values_ = class_token_ >= 0 ? at(weights, layout[class_token_]) : nullptr;
  position_values_ = position_ >= 0 ? at(weights, layout[position_]) : fixed_position_.data();
}

PatchEmbed::Scratch PatchEmbed::plan_scratch(Arena& arena, int64_t images) const {
  return {arena.take<float>({images * patches_, width_})};
}

void PatchEmbed::forward(TensorView<const float> patches, const Shard& shard, const Scratch& scratch,
                         TensorView<float> x) const {
  const TensorView<float> projected = scratch.projected.slice(0, patches.rows());
  proj_.forward(patches, projected);
  for (int64_t b = 0; b < shard.images; ++b) {
    float* image = x.data() + b * shard.tokens * width_;
    std::copy_n(position_values_, shard.tokens * width_, image);
    if (prefix_ > 0) add_to(class_values_, width_, image);
    add_to(projected.data() + b * patches_ * width_, patches_ * width_, image + prefix_ * width_);
  }
}

void PatchEmbed::forward_train(TensorView<const float> patches, const Shard& shard, const Scratch& scratch,
                               TensorView<float> x) const {
  forward(patches, shard, scratch, x);
  dropout_rows(shard, x, shard.regularization.dropout, dropout_site_);
}

void PatchEmbed::backward(TensorView<float> dx, TensorView<const float> patches, const Shard& shard,
                          const Gradients& gradients, const Scratch& scratch) const {
  dropout_rows(shard, dx, shard.regularization.dropout, dropout_site_);
  const TensorView<float> dprojected = scratch.projected.slice(0, patches.rows());
  const int64_t image_size = shard.tokens * width_;
  for (int64_t b = 0; b < shard.images; ++b)
    std::copy_n(dx.data() + b * image_size + prefix_ * width_, patches_ * width_,
                dprojected.data() + b * patches_ * width_);
  proj_.backward(dprojected, patches, shard, gradients, {});
  gradients.in_turn(section_, shard, [&] {
    for (int64_t b = 0; b < shard.images; ++b) {
      if (prefix_ > 0) add_to(dx.data() + b * image_size, width_, gradients.at(class_token_));
      if (position_ >= 0) add_to(dx.data() + b * image_size, image_size, gradients.at(position_));
    }
  });
}

}  // namespace vit
