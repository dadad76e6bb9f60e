// How a folder of labelled pictures is read.
#pragma once

#include "vit/core/words.h"

namespace vit {

/// How folders are read: CLASS/x.jpg, SPLIT/CLASS/x.jpg or CLASS/SPLIT/x.jpg.
enum class FolderReading { automatic, classes, splits, inner_splits };
template <>
inline constexpr Word<FolderReading> kWords<FolderReading>[] = {{FolderReading::automatic, "auto"},
                                                                {FolderReading::classes, "classes"},
                                                                {FolderReading::splits, "splits"},
                                                                {FolderReading::inner_splits, "inner-splits"}};

}  // namespace vit
