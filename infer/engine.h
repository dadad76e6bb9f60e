// Runs a model on patch rows: each worker takes a micro-batch through the whole network in an arena of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "vit/core/dtype.h"
#include "vit/core/tensor_view.h"
#include "vit/model/model_file.h"

namespace vit {

struct EngineOptions {
  DType dtype = DType::f32;
  int64_t micro_batch = 0;  // images a worker takes at a time; 0 = chosen from the number of tokens
};

/// What one run writes; null views are not computed.
struct EngineOutputs {
  TensorView<float> logits;      // [B, C]
  TensorView<float> embeddings;  // [B, D] pooled features, what the head reads
  TensorView<float> attention;   // [B, L*H, N*N] of every layer and head (explain)
};

class Engine {
 public:
  Engine(const Model& model, const EngineOptions& options = {});
  ~Engine();
  Engine(Engine&&) noexcept;

  const ModelConfig& config() const;
  /// patches [B, patches, 3*P*P]; any B. One call at a time.
  void run(TensorView<const float> patches, const EngineOutputs& outputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
