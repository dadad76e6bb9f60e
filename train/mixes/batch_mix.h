// Changes of whole batches on their way from the loader to the step: one mix a file of this folder, one row of the
// table in batch_mix.cpp. What acts on one picture is an augmentation (preprocess).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "datasets/loader.h"
#include "train/config.h"
#include "train/objective.h"
#include "vit/core/rng.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// A batch of B images; all of it may be changed.
struct MixBatch {
  TensorView<float> rows;        // [B, patches * patch_dim]
  const int32_t* labels;         // [B]
  std::vector<int32_t>& second;  // [B], the labels themselves
  std::vector<float>& share;     // [B] of the first label, all 1
};

/// A row of the table.
struct BatchMixEntry {
  std::string_view name;  // keys its random numbers, so that no mix changes those of another
  bool (*active)(const TrainConfig&);
  /// What it does must not depend on threads. It draws from `random` and nothing else.
  void (*apply)(const TrainConfig&, RandomStream& random, MixBatch& batch);
};

/// The mixes that a config asks for, and the memory of their targets.
class BatchMix {
 public:
  explicit BatchMix(const TrainConfig& config);

  /// Changes the rows, `row` floats an image, and tells the targets, which are valid until the next call. `number` is
  /// that of the batch in its epoch. Where nothing is asked for: the labels, and nothing changes.
  Targets apply(Batch& batch, int64_t row, int64_t epoch, int64_t number);

 private:
  TrainConfig config_;
  std::vector<const BatchMixEntry*> active_;
  std::vector<int32_t> second_;
  std::vector<float> share_;
};

}  // namespace vit
