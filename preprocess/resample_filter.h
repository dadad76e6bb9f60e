// The filters that resampling weighs samples with.
#pragma once

#include <cstdint>
#include <span>

#include "preprocess/config.h"

namespace vit {

struct Filter {
  /// out[t] = the filter at (first + t - center + 0.5) * inverse_stretch, for samples whose middles lie at t + 0.5.
  void (*weigh)(int64_t first, double center, double inverse_stretch, std::span<double> out);
  double support;  // the filter is 0 from this distance on
};

/// Of all but `nearest`, which weighs nothing. Throws Error (usage) for that and for what is no filter.
Filter filter_of(Interpolation interpolation);

}  // namespace vit
