// Heads on a frozen DINOv2 or DINOv3: one Linear on class tokens of the last blocks and the mean of the patches.
#pragma once

#include <vector>

#include "vit/families/family.h"

namespace vit {

/// Sets pooling and classes: by the columns of linear_head.weight, or those of a model without a head.
void read_linear_head(const Checkpoint& checkpoint, ModelConfig& config);
void add_linear_head(std::vector<NameRow>& rows);

}  // namespace vit
