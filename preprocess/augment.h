// Training-time changes of pictures; each draws from the stream it is given and nothing else.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/option_table.h"
#include "vit/core/rng.h"

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

/// In this order: crop, flip, affine and elastic, erase. The affine matrix is that of torchvision's RandomAffine:
/// about the centre, shear first, then scale and rotation, then shift. Affine and elastic share one bilinear lookup,
/// black outside. Elastic distortion is that of Simard, Steinkraus and Platt (ICDAR 2003); erasing that of Zhong et al.
/// (AAAI 2020): 2 % to 33 % of the area, sides 0.3 to 3.3 to one.
/// Numbers are drawn in the order crop y, crop x, flip, rotate, shift x, shift y, scale, shear, elastic x plane and
/// y plane, erase; what is off draws nothing.
Image augment(const Image& image, const AugmentConfig& config, RandomStream& random);

}  // namespace vit
