// The network: patch embedding, blocks, head; the order of the layers and nothing else.
#pragma once

#include <array>
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
  Matrix qkv;           // [M, 3D]
  TensorView<float> x;  // [M, D]
  Head::Saved head;
};

/// The memory of a team of workers that share the tokens of one image.
struct TeamWorkspace {
  PatchEmbed::Scratch embed;
  std::vector<Block::Scratch> parts;
  std::array<Matrix, 2> qkv;  // [N, 3D] of even and odd blocks: one is read while the next is written
  TensorView<float> x;        // [N, D]
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
  TensorView<float> dpooled;    // [B, D], of the class tokens after the last block
  TensorView<float> losses;     // [B]
};

struct VitOptions {
  DType dtype = DType::f32;  // of the products
  Recompute recompute = Recompute::none;
  bool all_tokens = false;  // the last block computes all tokens even where only the class token is read (maps)
};

/// Vision Transformer as timm's VisionTransformer computes it. With a class token the last block asks, projects and
/// feeds forward that token alone: the same result for less work. Many threads may run `forward*` and `backward` at
/// once, each with a workspace of its own; `pack` must not run beside them.
class Vit {
 public:
  /// Throws Error (usage) for a configuration that `validate` refuses.
  explicit Vit(const ModelConfig& config, const VitOptions& options = {});
  Vit(const Vit&) = delete;
  Vit& operator=(const Vit&) = delete;

  const ModelConfig& config() const { return config_; }
  DType dtype() const { return options_.dtype; }
  const ParameterLayout& layout() const { return layout_; }
  /// Gates that a Turnstile for the gradients needs.
  int sections() const { return registry_.sections(); }

  /// Takes in the parameters, matrices in the layouts that products run on; nothing of the source is needed
  /// afterwards. Call it after each change and before the plans. `training` packs for backward, too; `input_scale`
  /// (needed for int8) and `observe` as in Packing.
  void pack(const ParameterSource& source, bool training, const std::function<float(int)>& input_scale = {},
            const InputObserver& observe = {});

  InferenceWorkspace plan_inference(Arena& arena, int64_t images) const;
  TrainingWorkspace plan_training(Arena& arena, int64_t images) const;
  TeamWorkspace plan_team(Arena& arena, int parts) const;

  /// logits [b, C] (may be null) from patches [b * patches, 3*P*P]; features in workspace.head.features. `maps`
  /// [b, L*H, N*N] receives the attention of every layer and head unless null.
  void forward(TensorView<const float> patches, const Shard& shard, const InferenceWorkspace& workspace,
               TensorView<float> logits, TensorView<float> maps) const;
  /// One image by a team: all parts of a phase must end before one of the next begins. The last phase leaves
  /// logits [1, C] (may be null) and workspace.head.features. patches [patches, 3*P*P].
  int team_phases() const { return static_cast<int>(config_.depth) + 2; }
  void forward_part(int phase, int part, TensorView<const float> patches, const TeamWorkspace& workspace,
                    TensorView<float> logits) const;
  /// workspace.logits and all that backward needs.
  void forward_train(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& workspace) const;
  /// Adds to the gradients from workspace.dlogits.
  void backward(TensorView<const float> patches, const Shard& shard, const TrainingWorkspace& workspace,
                const Gradients& gradients) const;

 private:
  Shard largest(int64_t images) const;
  bool class_row() const { return config_.pooling == Pooling::class_token && !options_.all_tokens; }
  TensorView<float> pooled_rows(TensorView<float> x, const Shard& shard) const;

  ModelConfig config_;
  VitOptions options_;
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
