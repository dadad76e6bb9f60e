#include "train/ema.h"

#include <algorithm>

#include "vit/core/error.h"
#include "vit/core/parallel.h"

namespace vit {

float ema_decay_at(float decay, int64_t updates) {
  const auto t = static_cast<double>(updates);
  return std::min(decay, static_cast<float>((1 + t) / (10 + t)));
}

void update_average(float decay, const ParameterBlock& weights, ParameterBlock& average) {
  if (weights.size() != average.size()) {
    fail(ErrorKind::internal, "[ema] average: needs ", weights.size(), " floats, has ", average.size());
  }
  constexpr int64_t kGrain = 64 * 1024;
  const float fresh = 1.0f - decay;
  parallel_for(weights.size(), kGrain, [&](int64_t begin, int64_t end) {
    const float* w = weights.data();
    float* a = average.data();
    for (int64_t i = begin; i < end; ++i) a[i] += fresh * (w[i] - a[i]);
  });
}

}  // namespace vit
