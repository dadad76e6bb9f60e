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
      patch_dim_(options.channels * options.patch_size * options.patch_size),
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

void PatchEmbed::pack(const Packing& packing) {
  proj_.pack(packing);
  const int64_t count = (prefix_ + patches_) * width_;
  if (prefixed_position_.size() == 0) prefixed_position_ = AlignedBuffer<float>(count);
  const ParameterValues learned = position_ >= 0 ? packing.values(position_) : ParameterValues();
  std::copy_n(position_ >= 0 ? learned.data : fixed_position_.data(), count, prefixed_position_.data());
  if (class_token_ >= 0) add_to(packing.values(class_token_).data, width_, prefixed_position_.data());
}

PatchEmbed::Scratch PatchEmbed::plan_scratch(Arena& arena, int64_t images, bool training) const {
  Scratch scratch;
  const int64_t rows = images * patches_;
  if (proj_.type() != DType::f32) scratch.patches = arena.take(proj_.type(), rows, patch_dim_);
  if (training) scratch.dpatches = arena.take(proj_.type(), rows, width_);
  return scratch;
}

void PatchEmbed::forward(TensorView<const float> patches, const Shard& shard, const Scratch& scratch,
                         TensorView<float> x) const {
  const ProfileScope profile("embedding");
  const int64_t own = shard.own();
  const int64_t skipped = std::max<int64_t>(prefix_ - shard.first_token, 0);  // own tokens that are no patches
  const int64_t first = shard.first_token + skipped - prefix_, count = own - skipped;
  for (int64_t b = 0; b < shard.images; ++b) {
    const TensorView<float> image = x.slice(b * own, own);
    std::copy_n(prefixed_position_.data() + shard.first_token * width_, own * width_, image.data());
    const TensorView<const float> rows = patches.slice(b * patches_ + first, count);
    const ConstMatrix input =
        scratch.patches ? for_product(rows, scratch.patches.slice(b * patches_ + first, count)) : ConstMatrix(rows);
    proj_.forward(input, image.slice(skipped, count), true);
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
  const Matrix dprojected = scratch.dpatches.slice(0, patches.rows());
  const int64_t image_size = shard.tokens * width_;
  for (int64_t b = 0; b < shard.images; ++b)
    convert(dx.slice(b * shard.tokens + prefix_, patches_), dprojected.slice(b * patches_, patches_));
  const ConstMatrix input = scratch.patches ? for_product(patches, scratch.patches) : ConstMatrix(patches);
  proj_.backward(dprojected, input, shard, gradients, {});
  gradients.in_turn(section_, shard, [&] {
    for (int64_t b = 0; b < shard.images; ++b) {
      if (prefix_ > 0) add_to(dx.data() + b * image_size, width_, gradients.at(class_token_));
      if (position_ >= 0) add_to(dx.data() + b * image_size, image_size, gradients.at(position_));
    }
  });
}

}  // namespace vit
