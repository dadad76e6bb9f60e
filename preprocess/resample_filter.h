// The filters that resampling weighs samples with.
#pragma once

#include "preprocess/config.h"

namespace vit {

struct Filter {
  double (*weight)(double x);
  double support;  // weight(x) = 0 for |x| >= support
};

/// Of all but `nearest`, which weighs nothing. Throws Error (usage) for that and for what is no filter.
Filter filter_of(Interpolation interpolation);

}  // namespace vit
