#include "preprocess/pipeline.h"

#include "preprocess/resize_crop.h"
#include "vit/core/error.h"

namespace vit {
namespace {

const PreprocessConfig& checked(const PreprocessConfig& config, int64_t patch_size) {
  validate(config);
  if (patch_size < 1 || config.size % patch_size != 0) {
    fail(ErrorKind::usage, "[pipeline] patch size must divide the image size ", config.size, ", is ", patch_size);
  }
  return config;
}

}  // namespace

Pipeline::Pipeline(const PreprocessConfig& config, int64_t patch_size)
    : config_(checked(config, patch_size)), patch_size_(patch_size), table_(config) {}

int64_t Pipeline::patches() const { return (config_.size / patch_size_) * (config_.size / patch_size_); }

int64_t Pipeline::patch_dim() const { return 3 * patch_size_ * patch_size_; }

void Pipeline::prepare(const Image& image, TensorView<float> rows) const {
  // Pictures of small data sets have their size already; they are not copied.
  const bool turns = config_.exif_rotate && image.orientation != 1;
  if (!turns && image.width == config_.size && image.height == config_.size && config_.rule == ResizeRule::squash) {
    patchify(image, table_, patch_size_, rows);
  } else {
    patchify(resize_crop(image, config_), table_, patch_size_, rows);
  }
}

void Pipeline::prepare_augmented(const Image& image, const AugmentConfig& augmentation, RandomStream& random,
                                 TensorView<float> rows) const {
  patchify(augment(resize_crop(image, config_), augmentation, random), table_, patch_size_, rows);
}

}  // namespace vit
