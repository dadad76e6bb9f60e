// The classes of ImageNet-1k in the order of its challenge, by which published classifiers count them.
#pragma once

#include <string_view>

namespace vit {

/// 1000 lines "01440764 tench": the number of the noun in WordNet 3.0, which with an n in front names the folders of
/// the data set, and a name that no other class has.
std::string_view imagenet_table();

}  // namespace vit
