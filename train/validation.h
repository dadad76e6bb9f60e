// Loss and top-1 of a split, as each epoch needs them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "datasets/loader.h"
#include "vit/model/model_file.h"

namespace vit {

struct ValidationResult {
  double loss = 0;  // mean cross-entropy, no label smoothing
  double top1 = 0;  // fraction
  int64_t images = 0;
  std::vector<UnreadableImage> unreadable;
};

/// None when `stop` was set on the way; `stop` may be null. Throws Error (data) when no picture can be read.
std::optional<ValidationResult> run_validation(const Model& model, std::shared_ptr<const Split> split,
                                               const Pipeline& pipeline, int64_t batch, const std::atomic<bool>* stop);

}  // namespace vit
