// Time of training steps without the data: forward, backward, clipping, AdamW and packing of the weights.
#pragma once

#include <cstdint>

#include "infer/bench.h"
#include "train/train_step.h"
#include "vit/model/config.h"

namespace vit {

/// Steps on `batch` pictures of noise.
BenchResult bench_training(const ModelConfig& config, const StepOptions& step_options, int64_t batch,
                           const BenchOptions& bench_options);

}  // namespace vit
