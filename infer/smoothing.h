// Makes activations easier to quantise: channels with large inputs are scaled down where they come from, and the
// columns of the matrix that reads them up. Xiao et al., SmoothQuant, arXiv:2211.10438.
#pragma once

#include "infer/calibration.h"
#include "vit/model/model_file.h"

namespace vit {

/// Rewrites the weights of norm -> qkv, values -> proj and norm -> fc1 of each block; the model computes the same up to
/// fp32 rounding. A channel's factor is max|x|^migration / max|w|^(1 - migration), with 0 <= migration <= 1; `ranges`
/// follow. fc2 stays: GELU stands between it and what could be scaled.
void smooth(Model& model, ChannelRanges& ranges, float migration);

}  // namespace vit
