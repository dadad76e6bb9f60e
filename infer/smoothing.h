// Makes activations easier to quantise: channels with large inputs are scaled down where they come from, and the
// columns of the matrix that reads them up. Xiao et al., SmoothQuant, arXiv:2211.10438.
#pragma once

#include "infer/calibration.h"
#include "vit/model/model_file.h"

namespace vit {

/// Rewrites what the layout's channels() name (norm -> qkv, values -> proj, norm -> fc1); the model computes the same
/// up to fp32 rounding. A channel's factor is max|x|^migration / max|w|^(1 - migration), with 0 <= migration <= 1;
/// `ranges` follow. What reads behind a GELU stays: it is not linear in what could be scaled.
void smooth(Model& model, ChannelRanges& ranges, float migration);

}  // namespace vit
