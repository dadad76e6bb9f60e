// Numbers of published models, and a rule for another side.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "preprocess/config.h"

namespace vit::published {

inline constexpr std::array<float, 3> kImageNetMean{0.485f, 0.456f, 0.406f}, kImageNetStd{0.229f, 0.224f, 0.225f};
inline constexpr std::array<float, 3> kHalf{0.5f, 0.5f, 0.5f};
inline constexpr std::array<float, 3> kClipMean{0.48145466f, 0.4578275f, 0.40821073f},
    kClipStd{0.26862954f, 0.26130258f, 0.27577711f};
inline constexpr std::array<float, 3> kZero{0, 0, 0}, kOne{1, 1, 1};

inline constexpr double kLargestSide = 1 << 14;

/// timm's side before a crop of `side` that keeps the share `crop_pct`: floor(side / crop_pct).
inline int64_t timm_resize(int64_t side, double crop_pct) {
  return static_cast<int64_t>(std::min(std::floor(static_cast<double>(side) / crop_pct), 2 * kLargestSide));
}

/// `config` for squares of another side; the share that the crop keeps stays.
inline PreprocessConfig scaled(PreprocessConfig config, int64_t side) {
  if (side == 0 || side == config.size) return config;
  config.resize_size = std::llround(static_cast<double>(config.resize_size) * static_cast<double>(side) /
                                    static_cast<double>(config.size));
  config.size = side;
  return config;
}

}  // namespace vit::published
