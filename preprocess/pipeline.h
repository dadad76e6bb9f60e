// Picture to patch rows, in one call; the same object serves training, eval and classify.
#pragma once

#include "preprocess/augment.h"
#include "preprocess/config.h"
#include "preprocess/patchify.h"
#include "vit/core/tensor_view.h"

namespace vit {

struct Image;

/// Immutable; many threads may use one.
class Pipeline {
 public:
  /// Throws Error (usage) for a config with faults, or when patch_size does not divide config.size.
  Pipeline(const PreprocessConfig& config, int64_t patch_size);

  const PreprocessConfig& config() const { return config_; }
  int64_t patches() const;
  int64_t patch_dim() const;

  /// rows [patches, 3*P*P].
  void prepare(const Image& image, TensorView<float> rows) const;
  /// Operations that are on work on bytes, so the picture is resized on bytes for them.
  void prepare_augmented(const Image& image, const AugmentConfig& augmentation, AugmentRandom& random,
                         TensorView<float> rows) const;

 private:
  PreprocessConfig config_;
  int64_t patch_size_;
  PixelTable table_;
};

}  // namespace vit
