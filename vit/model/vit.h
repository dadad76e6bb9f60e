// The network: embedding, stages, readout; the order of the parts and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "vit/core/arena.h"
#include "vit/layers/embedding.h"
#include "vit/layers/readout.h"
#include "vit/layers/stage.h"
#include "vit/model/config.h"

namespace vit {

/// The memory of one worker in inference, for at most `images` images at a time.
struct InferenceWorkspace {
  State embedding;
  std::vector<State> stages;
  std::vector<Matrix> shared;              // what the halves of each stage hand each other
  std::vector<TensorView<float>> streams;  // [M, D]: a new one behind each stage that does not work in place
  State readout;
};

/// The memory of a team of workers that share the tokens of one image.
struct TeamWorkspace {
  State embedding;
  std::vector<std::vector<State>> parts;  // of each stage and worker
  std::vector<Matrix> shared;             // stages take turns in two places: one is read while the next is written
  std::vector<TensorView<float>> streams;
  State readout;
};

/// The memory of one worker in training.
struct TrainingWorkspace {
  State embedding;
  std::vector<State> stages;  // what they keep
  std::vector<State> scratch;
  std::vector<TensorView<float>> streams;    // [M, D] before the first stage and behind each
  std::vector<TensorView<float>> gradients;  // one where stages work in place
  State readout;
  TensorView<float> logits;   // [B, C]
  TensorView<float> dlogits;  // [B, C]
  TensorView<float> losses;   // [B]
};

struct VitOptions {
  DType dtype = DType::f32;  // of the products
  Recompute recompute = Recompute::none;
  bool all_tokens = false;  // the last block computes all tokens even where only the class token is read (maps)
};

/// Sees the stream [M, D] that enters the first stage, and then what leaves each of them.
using StreamObserver = std::function<void(TensorView<const float> x)>;

/// Vision Transformer as timm's VisionTransformer computes it. Where the readout reads the first token alone, the last
/// block asks, projects and feeds forward that token alone: the same result for less work. Many threads may run
/// `forward*` and `backward` at once, each with a workspace of its own; `pack` must not run beside them.
class Vit {
 public:
  /// Throws Error (usage) for a configuration that `validate` refuses.
  explicit Vit(const ModelConfig& config, const VitOptions& options = {});
  Vit(const Vit&) = delete;
  Vit& operator=(const Vit&) = delete;

  const ModelConfig& config() const { return config_; }
  DType dtype() const { return options_.dtype; }
  const ParameterLayout& layout() const { return layout_; }
  /// The tokens that enter the first stage.
  const Tokens& tokens() const { return tokens_; }
  const Embedding& embedding() const { return *embedding_; }
  const std::vector<std::unique_ptr<Stage>>& stages() const { return stages_; }
  const Readout& readout() const { return *readout_; }
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

  /// logits [b, C] (may be null) from the tokenizer's input rows; the features are readout().features(). `maps`
  /// [b, map_count(), N*N] receives the attention of every layer and head unless null.
  void forward(TensorView<const float> input, const Shard& shard, const InferenceWorkspace& workspace,
               TensorView<float> logits, TensorView<float> maps, const StreamObserver& observe = {}) const;
  int64_t map_count() const;

  /// Whether all stages let several workers share an image.
  bool for_teams() const;
  /// One image by a team: all parts of a phase must end before one of the next begins. The last phase leaves
  /// logits [1, C] (may be null) and the features.
  int team_phases() const { return static_cast<int>(stages_.size()) + 2 + (embedding_->splits() ? 0 : 1); }
  void forward_part(int phase, int part, TensorView<const float> input, const TeamWorkspace& workspace,
                    TensorView<float> logits) const;

  /// workspace.logits and all that backward needs.
  void forward_train(TensorView<const float> input, const Shard& shard, const TrainingWorkspace& workspace) const;
  /// Adds to the gradients from workspace.dlogits.
  void backward(TensorView<const float> input, const Shard& shard, const TrainingWorkspace& workspace,
                const Gradients& gradients) const;

 private:
  Shard largest(int64_t images) const;
  template <class Plan>
  Shard plan_in_turn(Arena& arena, const Shard& first, Plan plan) const;
  std::vector<TensorView<float>> plan_streams(Arena& arena, const Shard& largest) const;
  TensorView<float> read_rows(TensorView<float> x, const Shard& last) const;
  int64_t read_early(std::size_t stage) const;
  void keep_first_tokens(std::size_t stage, TensorView<const float> out, const Shard& left, const State& readout) const;
  void add_earlier_gradients(std::size_t stage, const Shard& left, const State& readout, TensorView<float> dout) const;
  void backward_from(std::size_t stage, const Shard& shard, const TrainingWorkspace& w,
                     const Gradients& gradients) const;

  ModelConfig config_;
  VitOptions options_;
  ParameterLayout layout_;
  Registry registry_;
  Tokens tokens_;
  std::unique_ptr<Embedding> embedding_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::unique_ptr<Readout> readout_;
  std::vector<std::size_t> stream_of_;  // of what enters each stage, and at last of what leaves: a stream goes on where
                                        // stages work in place
  bool one_token_;                      // the readout reads the first token of each image alone
};

/// Images that one worker takes through the network at a time: enough rows for the products' best speed, few
/// enough that a layer's activations stay near the core. Depends on the model only, never on the threads.
int64_t default_micro_batch(const ModelConfig& config);

}  // namespace vit
