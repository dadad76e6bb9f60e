// Some pictures of a split as a split of their own.
#pragma once

#include <memory>
#include <vector>

#include "datasets/dataset.h"

namespace vit {

/// The pictures of `whole` at `indices`, in that order. Throws Error (internal) for an index that is not there.
std::shared_ptr<const Split> subset(std::shared_ptr<const Split> whole, std::vector<int64_t> indices);

}  // namespace vit
