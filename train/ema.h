// Exponential average of the weights over the updates.
#pragma once

#include <cstdint>

#include "vit/layers/parameter.h"

namespace vit {

/// The decay after `updates` earlier updates: min(decay, (1 + updates) / (10 + updates)), so that the first
/// weights, which are random, are soon forgotten.
float ema_decay_at(float decay, int64_t updates);

/// average = decay * average + (1 - decay) * weights.
void update_average(float decay, const ParameterBlock& weights, ParameterBlock& average);

}  // namespace vit
