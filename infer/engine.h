// Runs a model on patch rows. Throughput: each worker takes a micro-batch through the whole network in an arena of its
// own, no barrier inside. Latency: all workers share the tokens of one image and meet once a block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vit/core/dtype.h"
#include "vit/core/tensor_view.h"
#include "vit/core/words.h"
#include "vit/layers/context.h"
#include "vit/model/model_file.h"

namespace vit {

enum class EngineMode { automatic, throughput, latency };
template <>
inline constexpr Word<EngineMode> kWords<EngineMode>[] = {
    {EngineMode::automatic, "auto"}, {EngineMode::throughput, "throughput"}, {EngineMode::latency, "latency"}};

struct EngineOptions {
  DType dtype = DType::f32;
  EngineMode mode = EngineMode::automatic;  // by batch and threads
  int64_t micro_batch = 0;                  // images a worker takes at a time; 0 = chosen from the number of tokens
  bool attention_maps = false;              // computes what EngineOutputs::attention needs; only in fp32
  InputObserver observe = {};               // sees the input of every Linear, from all threads at once (calibration)
};

/// What one run writes; null views are not computed.
struct EngineOutputs {
  TensorView<float> logits;      // [B, C]
  TensorView<float> embeddings;  // [B, feature_width()] pooled features, what the head reads
  TensorView<float> attention;   // [B, L*H, N*N] of every layer and head (explain)
};

/// What the processor multiplies fastest of what the model can: int8 if it is quantised, bf16, fp32.
DType fastest_dtype(bool quantized);
/// Why nothing is computed in `wanted` here, in a few words: instructions that the processor lacks, or a product
/// library that refuses it or is wrong. Empty where it serves.
std::string dtype_fault(DType wanted);
/// `wanted`, or fp32 where that has a fault.
DType runnable_dtype(DType wanted);
/// Whether the bits of a row of a product depend on that row alone, not on how many rows go with it: with AVX-512. With
/// less the product library picks its kernels by the number of rows.
bool product_rows_stand_alone();

class Engine {
 public:
  /// Throws Error (usage) for int8 and a model that is not quantised.
  Engine(const Model& model, const EngineOptions& options = {});
  /// Reads one parameter after the other: never holds them twice. `model` needs none of its own; throws what the source
  /// throws.
  Engine(const Model& model, const ParameterSource& weights, const EngineOptions& options = {});
  ~Engine();
  Engine(Engine&&) noexcept;

  const ModelConfig& config() const;
  /// The arithmetic in use: runnable_dtype of the one asked for.
  DType dtype() const;
  /// patches [B, patches, 3*P*P]; any B. One call at a time. Without AVX-512 a team, and only a team, gives bits that
  /// depend on the number of threads.
  void run(TensorView<const float> patches, const EngineOutputs& outputs);
  /// The same for a batch of many: without AVX-512 no team takes it, so that its bits depend on no number of threads.
  void run_batch(TensorView<const float> patches, const EngineOutputs& outputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
