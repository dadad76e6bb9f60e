// Training-time changes of pictures; each draws from the stream it is given and nothing else.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "preprocess/image.h"
#include "vit/core/rng.h"

namespace vit {

struct AugmentConfig {
  float flip = 0;            // probability of a mirror image
  int64_t crop_padding = 0;  // pixels of border (black), then a random crop of the old size
  float rotate = 0;          // affine: degrees, uniform in [-r, r]
  float shift = 0;           // fraction of the side, uniform in [-s, s], each axis
  float scale = 0;           // factor uniform in [1 - s, 1 + s]
  float shear = 0;           // degrees, uniform in [-s, s]

  bool operator==(const AugmentConfig&) const = default;
};

void validate(const AugmentConfig& config);
nlohmann::json to_json(const AugmentConfig& config);
AugmentConfig augment_config_from_json(const nlohmann::json& json, std::string_view where);

/// Crop, flip, then affine (bilinear, black outside, as torchvision's RandomAffine orders its matrix).
Image augment(const Image& image, const AugmentConfig& config, RandomStream& random);

}  // namespace vit
