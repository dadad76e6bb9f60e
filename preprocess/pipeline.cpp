#include "preprocess/pipeline.h"

#include "preprocess/image.h"
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
  if (config_.resize_on == ResizeOn::floats)
    patchify_floats(resize_crop_floats(image, config_), config_, patch_size_, rows);
  else
    patchify(resize_crop(image, config_), table_, patch_size_, rows);
}

void Pipeline::prepare_augmented(const Image& image, const AugmentConfig& augmentation, AugmentRandom& random,
                                 TensorView<float> rows) const {
  const bool resizes = acts(AugmentStage::source, augmentation);
  if (config_.resize_on == ResizeOn::floats && !resizes && !acts(AugmentStage::square, augmentation))
    return prepare(image, rows);
  Image square;
  if (resizes) {
    const Image source = source_picture(image, config_);
    const cv::Mat part = augment(source.rgb, AugmentStage::source, augmentation, random);
    square.rgb = resize(part, config_.size, config_.size, config_.interpolation);
  } else {
    square = resize_crop(image, config_);
  }
  square.rgb = augment(square.rgb, AugmentStage::square, augmentation, random);
  patchify(square, table_, patch_size_, rows);
}

}  // namespace vit
