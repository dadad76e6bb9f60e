// Why a stage of two models may differ, from the numbers of both.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "preprocess/config.h"
#include "vit/model/config.h"

namespace vit {

/// The same stage of both, [n, ...] each, of one shape.
struct StageValues {
  std::span<const float> ours, theirs;
  int64_t images = 0;
  double relative = 0;  // |difference| / |reference|
  double beyond = 0;    // share of the values outside the tolerance
};

/// Of pixels [n, 3, S, S].
std::string pixels_cause(const StageValues& values, const PreprocessConfig& preprocess);
/// Of the tokens [n, N, D] that enter the first block.
std::string tokens_cause(const StageValues& values, const ModelConfig& config);
std::string block_cause(const StageValues& values, int64_t block);
std::string features_cause(const StageValues& values, const ModelConfig& config);
/// Of logits [n, C].
std::string logits_cause(const StageValues& values);
/// Of a stage whose shapes differ.
std::string shape_cause(const std::string& stage);

}  // namespace vit
