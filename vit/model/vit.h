// The network: patch embedding, blocks, head; the order of the layers and nothing else.
#pragma once

#include <vector>

#include "vit/core/arena.h"
#include "vit/layers/block.h"
#include "vit/layers/head.h"
#include "vit/layers/patch_embed.h"
#include "vit/model/config.h"

namespace vit {

/// The memory of one worker in inference, for at most `images` images at a time.
struct InferenceWorkspace {
  PatchEmbed::Scratch embed;
  Block::Scratch block;
  TensorView<float> x;  // [M, D]
  Head::Saved head;
};

/// The memory of one worker in training.
struct TrainingWorkspace {
  PatchEmbed::Scratch embed;
  Block::Scratch block;
  TensorView<float> embedded;  // [M, D], what the first block reads
  std::vector<Block::Saved> blocks;
  Head::Saved head;
  TensorView<float> logits;     // [B, C]
  TensorView<float> dlogits;    // [B, C]
  TensorView<float> dfeatures;  // [B, D]
  TensorView<float> dx;         // [M, D]
  TensorView<float> losses;     // [B]
};

/// Vision Transformer as timm's VisionTransformer computes it. Many threads may run `forward*` and `backward` at
/// once, each with a workspace of its own; `pack` must not run beside them.
class Vit {
 public:
  /// Throws Error (usage) for a configuration that `validate` refuses.
  explicit Vit(const ModelConfig& config);
  Vit(const Vit&) = delete;
  Vit& operator=(const Vit&) = delete;

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  /// Gates that a Turnstile for the gradients needs.
  int sections() const { return registry_.sections(); }

  /// Copies `weights` into the layouts that products run on; vectors are read where they lie, so `weights` must
  /// stay. Call it after each change. `training` packs for backward, too.
  void pack(const ParameterBlock& weights, bool training);

  InferenceWorkspace plan_inference(Arena& arena, int64_t images) const;
  TrainingWorkspace plan_training(Arena& arena, int64_t images) const;

  /// logits [b, C] (may be null) from patches [b * patches, 3*P*P]; features in workspace.head.features. `maps`
  /// [b, L*H, N*N] receives the attention of every layer and head unless null.
  void forward(TensorView<const float> patches, const Shard& shard, const InferenceWorkspace& workspace,
               TensorView<float> logits, TensorView<float> maps) const;
  /// workspace.logits and all that backward needs.
  void forward_train(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& workspace) const;
  /// Adds to the gradients from workspace.dlogits.
  void backward(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& workspace,
                const Gradients& gradients) const;

 private:
  Shard largest(int64_t images) const;

  ModelConfig config_;
  ParameterLayout layout_;
  Registry registry_;
  PatchEmbed embed_;
  std::vector<Block> blocks_;
  Head head_;
};

/// Images that one worker takes through the network at a time: enough rows for the products' best speed, few
/// enough that a layer's activations stay near the core. Depends on the model only, never on the threads.
int64_t default_micro_batch(const ModelConfig& config);

}  // namespace vit
