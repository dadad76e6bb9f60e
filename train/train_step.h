// Loss and gradients of a batch. The batch is cut into shards of fixed size; a worker takes a shard through
// forward and backward in its own arena, and shards add their gradients in shard order: the same bits for any
// number of threads, one gradient block, no barrier inside.
#pragma once

#include <cstdint>
#include <memory>

#include "train/objective.h"
#include "vit/core/tensor_view.h"
#include "vit/layers/parameter.h"
#include "vit/layers/recompute.h"
#include "vit/model/model_file.h"

namespace vit {

struct StepOptions {
  DType dtype = DType::f32;  // of the products: fp32 or bf16
  Recompute recompute = Recompute::none;
  std::shared_ptr<const Objective> objective = nullptr;  // null = cross-entropy without smoothing
  float dropout = 0;
  float attention_dropout = 0;
  float drop_path = 0;
  uint64_t seed = 0;
  int64_t micro_batch = 0;  // images a shard; 0 = chosen from the number of tokens
};

struct StepResult {
  double loss_sum = 0;  // over the images
};

class TrainStep {
 public:
  TrainStep(const ModelConfig& config, int64_t max_batch, const StepOptions& options);
  ~TrainStep();
  TrainStep(TrainStep&&) noexcept;

  /// Copies the weights into the layouts that products run on; call it after each change of the weights.
  void pack(const ParameterBlock& weights);

  /// gradients += scale * d(sum of losses)/d(weights). patches [B, patches, 3*P*P], targets of B images; `valid_tokens`
  /// [B] or null. `step` keys the dropout masks; image b of the batch has mask key (step, first_image + b).
  struct Batch {
    TensorView<const float> patches;
    Targets targets = {};
    const int32_t* valid_tokens = nullptr;
    int64_t step = 0;
    int64_t first_image = 0;
  };
  StepResult run(const Batch& batch, float scale, ParameterBlock& gradients);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
