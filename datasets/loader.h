// Batches of patch rows in a fixed order, prepared beside the model by a bounded number of batches ahead.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/sampler.h"
#include "preprocess/pipeline.h"
#include "vit/core/buffer.h"

namespace vit {

struct UnreadableImage {
  int64_t index = 0;  // in the split
  std::string path;
  std::string error;
};

/// Pictures that cannot be read are left out of the batch, never replaced, and listed.
struct Batch {
  int64_t size = 0;              // B, readable pictures
  AlignedBuffer<float> patches;  // [B, patches, 3*P*P], room for the full batch
  std::vector<int32_t> labels;   // [B]
  std::vector<int64_t> indices;  // [B] in the split
  std::vector<UnreadableImage> unreadable;
};

struct LoaderOptions {
  int64_t batch = 128;
  int64_t ahead = 3;       // batches prepared in advance
  bool shuffle = false;    // a permutation by (seed, epoch)
  bool drop_last = false;  // leave out a last batch that is not full
  uint64_t seed = 0;
  int64_t epoch = 0;        // augmentation is keyed by (seed, epoch, sample)
  int64_t first_batch = 0;  // start in the middle (resume)
  std::optional<AugmentConfig> augmentation;
};

/// One pass over a split. The batches are the same for any number of threads.
class Loader {
 public:
  Loader(std::shared_ptr<const Split> split, const Pipeline& pipeline, const LoaderOptions& options);
  ~Loader();

  /// Of the whole pass, those before first_batch too.
  int64_t batches() const;
  /// The next batch, or null after the last. It belongs to the caller until the next call; its memory is reused. It may
  /// be of size 0, when none of its pictures can be read. Rethrows what went wrong beside the model.
  Batch* next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
