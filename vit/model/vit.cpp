#include "vit/model/vit.h"

#include <algorithm>

#include "vit/core/parallel.h"

namespace vit {
namespace {

const ModelConfig& validated(const ModelConfig& config) {
  validate(config);
  return config;
}

PatchEmbed::Options embed_options(const ModelConfig& c) {
  return {.grid = c.grid(),
          .patch_size = c.patch_size,
          .channels = c.channels,
          .width = c.width,
          .class_token = c.class_token,
          .position = c.position};
}

Head::Options head_options(const ModelConfig& c) {
  return {.width = c.width, .classes = c.classes, .eps = c.eps, .pooling = c.pooling, .class_token = c.class_token};
}

std::vector<Block> make_blocks(Registry& registry, const ModelConfig& c) {
  std::vector<Block> blocks;
  blocks.reserve(static_cast<std::size_t>(c.depth));
  for (int64_t i = 0; i < c.depth; ++i)
    blocks.emplace_back(registry, concat("blocks.", i),
                        Block::Options{.width = c.width,
                                       .heads = c.heads,
                                       .mlp_width = c.mlp_width,
                                       .eps = c.eps,
                                       .activation = c.activation,
                                       .qkv_bias = c.qkv_bias,
                                       .layer_scale = c.layer_scale,
                                       .index = i,
                                       .depth = c.depth});
  return blocks;
}

}  // namespace

Vit::Vit(const ModelConfig& config)
    : config_(validated(config)),
      registry_(layout_),
      embed_(registry_, embed_options(config_)),
      blocks_(make_blocks(registry_, config_)),
      head_(registry_, head_options(config_)) {}

void Vit::pack(const ParameterBlock& weights, bool training) {
  embed_.pack(layout_, weights);
  head_.pack(layout_, weights, training);
  parallel_for(config_.depth, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) blocks_[static_cast<std::size_t>(i)].pack(layout_, weights, training);
  });
}

Shard Vit::largest(int64_t images) const {
  Shard shard;
  shard.images = images;
  shard.tokens = config_.tokens();
  return shard;
}

InferenceWorkspace Vit::plan_inference(Arena& arena, int64_t images) const {
  const Shard shard = largest(images);
  InferenceWorkspace w;
  w.embed = embed_.plan_scratch(arena, images);
  w.block = blocks_.front().plan_scratch(arena, shard);
  w.x = arena.take<float>({shard.rows(), config_.width});
  w.head = head_.plan(arena, images);
  return w;
}

TrainingWorkspace Vit::plan_training(Arena& arena, int64_t images) const {
  const Shard shard = largest(images);
  TrainingWorkspace w;
  w.embed = embed_.plan_scratch(arena, images);
  w.block = blocks_.front().plan_scratch(arena, shard);
  w.embedded = arena.take<float>({shard.rows(), config_.width});
  for (const Block& block : blocks_) w.blocks.push_back(block.plan(arena, shard));
  w.head = head_.plan(arena, images);
  w.logits = arena.take<float>({images, config_.classes});
  w.dlogits = arena.take<float>({images, config_.classes});
  w.dfeatures = arena.take<float>({images, config_.width});
  w.dx = arena.take<float>({shard.rows(), config_.width});
  w.losses = arena.take<float>({images});
  return w;
}

void Vit::forward(TensorView<const float> patches, const Shard& shard, const InferenceWorkspace& w,
                  TensorView<float> logits, TensorView<float> maps) const {
  const TensorView<float> x = w.x.slice(0, shard.rows());
  embed_.forward(patches, shard, w.embed, x);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward(x, shard, w.block);
    if (maps)
      blocks_[i].attention().maps(shard, w.block.attention,
                                  maps.columns(static_cast<int64_t>(i) * config_.heads, config_.heads));
  }
  head_.forward(x, shard, w.head, logits);
}

void Vit::forward_train(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& w) const {
  TensorView<float> x = w.embedded.slice(0, shard.rows());
  embed_.forward_train(patches, shard, w.embed, x);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward_train(x, shard, w.blocks[i], w.block);
    x = w.blocks[i].out.slice(0, shard.rows());
  }
  head_.forward(x, shard, w.head, w.logits.slice(0, shard.images));
}

void Vit::backward(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& w,
                   const Gradients& gradients) const {
  const TensorView<float> dx = w.dx.slice(0, shard.rows());
  head_.backward(w.dlogits.slice(0, shard.images), w.head, shard, gradients, w.dfeatures, dx);
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    const TensorView<float> x = i == 0 ? w.embedded : w.blocks[i - 1].out;
    blocks_[i].backward(dx, x.slice(0, shard.rows()), w.blocks[i], shard, gradients, w.block);
  }
  embed_.backward(dx, patches, shard, gradients, w.embed);
}

int64_t default_micro_batch(const ModelConfig& config) {
  constexpr int64_t kRows = 1100;
  int64_t images = 1;
  while (2 * images * config.tokens() <= kRows) images *= 2;
  return images;
}

}  // namespace vit
