// Training-time changes of pictures.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "vit/core/error.h"
#include "vit/core/option_table.h"
#include "vit/core/rng.h"

namespace cv {
class Mat;
}

namespace vit {

struct AugmentConfig {
  float flip = 0;            // probability of a mirror image
  int64_t crop_padding = 0;  // pixels of border (black), then a random crop of the old size
  float rotate = 0;          // affine: degrees, uniform in [-r, r]
  float shift = 0;           // fraction of the side, uniform in [-s, s], each axis
  float scale = 0;           // factor uniform in [1 - s, 1 + s]
  float shear = 0;           // degrees along x, uniform in [-s, s]
  float elastic = 0;         // elastic distortion: typical (root mean square) displacement in pixels, each axis
  float elastic_sigma = 4;   // pixels over which that displacement varies: deviation of the smoothing Gaussian
  float erase = 0;           // probability of a rectangle of noise

  float random_resized_crop = 0;  // least share of the picture's area in a random part that fills the square
  float random_resized_crop_ratio = 4.f / 3;  // of that part's width to its height at most; at least the inverse

  bool operator==(const AugmentConfig&) const = default;
};

/// The fields: their JSON, ranges and options of the command line.
OptionTable<AugmentConfig> augment_options();
/// All faults in one Error (usage).
void validate(const AugmentConfig& config);
nlohmann::json to_json(const AugmentConfig& config);
/// Absent fields are off. Throws Error (data) that names the field; `where` is the file. `out_of_range`: the kind where
/// a value has the right type but cannot be.
AugmentConfig augment_config_from_json(const nlohmann::json& json, std::string_view where,
                                       ErrorKind out_of_range = ErrorKind::data);

/// The random numbers of one picture; they follow from the arguments alone.
class AugmentRandom {
 public:
  AugmentRandom(uint64_t seed, uint64_t epoch, uint64_t sample);

  /// Of the first operations, which draw from it in turn.
  RandomStream shared;
  /// A stream that no other operation draws from: the hash of the name is mixed into its key.
  RandomStream of(std::string_view operation) const;

 private:
  uint64_t seed_, epoch_, sample_;
};

/// What an operation changes. Whole batches, with their labels, are for the mixes of training (train/mixes).
enum class AugmentStage {
  source,  // the upright picture as it is stored; what is left of it becomes the square in one resampling, by no rule
  square,  // the picture that the model will see
};

/// True where an operation of the stage is on.
bool acts(AugmentStage stage, const AugmentConfig& config);

/// `picture` (CV_8UC3) after the operations of the stage that are on, in the order of their table
/// (preprocess/augment/operations.cpp); what is off draws nothing. The pixels may be shared with `picture`, which is
/// not written to. `config` is one that validate() takes. Throws Error (usage) for what is no picture.
cv::Mat augment(const cv::Mat& picture, AugmentStage stage, const AugmentConfig& config, AugmentRandom& random);

}  // namespace vit
