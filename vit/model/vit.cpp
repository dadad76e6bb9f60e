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

std::vector<Block> make_blocks(Registry& registry, const ModelConfig& c, bool class_row) {
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
                                       .class_row = class_row && i == c.depth - 1,
                                       .index = i,
                                       .depth = c.depth});
  return blocks;
}

}  // namespace

Vit::Vit(const ModelConfig& config, const VitOptions& options)
    : config_(validated(config)),
      options_(options),
      registry_(layout_),
      embed_(registry_, embed_options(config_)),
      blocks_(make_blocks(registry_, config_, class_row())),
      head_(registry_, head_options(config_)) {}

void Vit::pack(const ParameterSource& source, bool training, const std::function<float(int)>& input_scale,
               const InputObserver& observe) {
  const Packing packing{source, options_.dtype, training, input_scale, observe};
  embed_.pack(packing);
  head_.pack(packing);
  parallel_for(config_.depth, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) blocks_[static_cast<std::size_t>(i)].pack(packing);
  });
}

Shard Vit::largest(int64_t images) const {
  Shard shard;
  shard.images = images;
  shard.tokens = config_.tokens();
  return shard;
}

/// What the head reads of the stream after the last block.
TensorView<float> Vit::pooled_rows(TensorView<float> x, const Shard& shard) const {
  if (config_.pooling != Pooling::class_token || class_row()) return x;
  return x.every(shard.own());
}

InferenceWorkspace Vit::plan_inference(Arena& arena, int64_t images) const {
  const Shard shard = largest(images);
  InferenceWorkspace w;
  w.embed = embed_.plan_scratch(arena, images, false);
  w.block = blocks_.front().plan_scratch(arena, shard, false);
  w.qkv = blocks_.front().plan_qkv(arena, shard.rows());
  w.x = arena.take<float>({shard.rows(), config_.width});
  w.head = head_.plan(arena, images);
  return w;
}

TrainingWorkspace Vit::plan_training(Arena& arena, int64_t images) const {
  if (options_.all_tokens) fail(ErrorKind::internal, "[vit] training has no use for all tokens of the last block");
  const Shard shard = largest(images);
  TrainingWorkspace w;
  w.embed = embed_.plan_scratch(arena, images, true);
  w.block = blocks_.front().plan_scratch(arena, shard, true);
  w.embedded = arena.take<float>({shard.rows(), config_.width});
  // The last block's sizes are its own, and backward begins with it: it keeps all.
  const Block::Saved recomputed =
      blocks_.size() > 1 ? blocks_.front().plan_recomputed(arena, shard, options_.recompute) : Block::Saved();
  for (const Block& block : blocks_)
    w.blocks.push_back(&block == &blocks_.back() ? block.plan(arena, shard)
                                                 : block.plan(arena, shard, options_.recompute, recomputed));
  w.head = head_.plan(arena, images);
  w.logits = arena.take<float>({images, config_.classes});
  w.dlogits = arena.take<float>({images, config_.classes});
  w.dfeatures = arena.take<float>({images, config_.width});
  w.dx = arena.take<float>({shard.rows(), config_.width});
  w.dpooled = arena.take<float>({images, config_.width});
  w.losses = arena.take<float>({images});
  return w;
}

void Vit::forward(TensorView<const float> patches, const Shard& shard, const InferenceWorkspace& w,
                  TensorView<float> logits, TensorView<float> maps) const {
  const TensorView<float> x = w.x.slice(0, shard.rows());
  const Matrix qkv = w.qkv.slice(0, shard.rows());
  embed_.forward(patches, shard, w.embed, x);
  TensorView<float> stream = x;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].project(x, shard, qkv, w.block);
    stream = blocks_[i].finish(x, shard, qkv, w.block);
    if (maps)
      blocks_[i].attention().maps(shard, qkv, maps.columns(static_cast<int64_t>(i) * config_.heads, config_.heads));
  }
  head_.forward(pooled_rows(stream, shard), shard, w.head, logits);
}

// ---- a team on one image ----

namespace {

/// The tokens of a part; parts differ by one token at most.
Shard part_shard(int64_t tokens, int part, int parts) {
  Shard shard;
  shard.images = 1;
  shard.tokens = tokens;
  shard.first_token = tokens * part / parts;
  shard.own_tokens = tokens * (part + 1) / parts - shard.first_token;
  return shard;
}

}  // namespace

TeamWorkspace Vit::plan_team(Arena& arena, int parts) const {
  TeamWorkspace w;
  w.embed = embed_.plan_scratch(arena, 1, false);
  for (int part = 0; part < parts; ++part)
    w.parts.push_back(blocks_.front().plan_scratch(arena, part_shard(config_.tokens(), part, parts), false));
  for (Matrix& qkv : w.qkv) qkv = blocks_.front().plan_qkv(arena, config_.tokens());
  w.x = arena.take<float>({config_.tokens(), config_.width});
  w.head = head_.plan(arena, 1);
  return w;
}

// Phase p ends block p - 1 and begins block p for the part's tokens; the last one is the head.
void Vit::forward_part(int phase, int part, TensorView<const float> patches, const TeamWorkspace& w,
                       TensorView<float> logits) const {
  const auto depth = static_cast<int>(config_.depth);
  if (phase == depth + 1) {
    const Shard whole = largest(1);
    const TensorView<float> stream = class_row() ? w.parts.front().leaving : w.x;
    if (part == 0) head_.forward(pooled_rows(stream, whole), whole, w.head, logits);
    return;
  }
  const Shard shard = part_shard(config_.tokens(), part, static_cast<int>(w.parts.size()));
  if (shard.own_tokens == 0) return;
  const TensorView<float> x = w.x.slice(shard.first_token, shard.own_tokens);
  const Block::Scratch& scratch = w.parts[static_cast<std::size_t>(part)];
  const auto qkv = [&](int block) { return w.qkv[static_cast<std::size_t>(block % 2)]; };
  if (phase == 0) {
    embed_.forward(patches, shard, w.embed, x);
  } else {
    const bool nothing_leaves = phase == depth && class_row() && shard.first_token > 0;
    if (!nothing_leaves) blocks_[static_cast<std::size_t>(phase - 1)].finish(x, shard, qkv(phase - 1), scratch);
  }
  if (phase < depth) blocks_[static_cast<std::size_t>(phase)].project(x, shard, qkv(phase), scratch);
}

// ---- training ----

void Vit::forward_train(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& w) const {
  TensorView<float> x = w.embedded.slice(0, shard.rows());
  embed_.forward_train(patches, shard, w.embed, x);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward_train(x, shard, w.blocks[i], w.block);
    x = w.blocks[i].out.slice(0, blocks_[i].leaving(shard).rows());
  }
  head_.forward(pooled_rows(x, shard), shard, w.head, w.logits.slice(0, shard.images));
}

void Vit::backward(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& w,
                   const Gradients& gradients) const {
  const TensorView<float> dx = w.dx.slice(0, shard.rows());
  TensorView<float> dout = class_row() ? w.dpooled.slice(0, shard.images) : dx;
  head_.backward(w.dlogits.slice(0, shard.images), w.head, shard, gradients, w.dfeatures, dout);
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    const TensorView<float> x = (i == 0 ? w.embedded : w.blocks[i - 1].out).slice(0, shard.rows());
    if (options_.recompute == Recompute::block && i + 1 < blocks_.size())
      blocks_[i].forward_train(x, shard, w.blocks[i], w.block);
    blocks_[i].backward(dout, x, w.blocks[i], shard, gradients, w.block, dx);
    dout = dx;
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
