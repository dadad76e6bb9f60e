// The splits that a data set may have, in the order in which they are told.
#pragma once

#include <string_view>

namespace vit {

inline constexpr std::string_view kSplitNames[] = {"train", "val", "test"};

}  // namespace vit
