// The confusion matrix as a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vit {

/// PNG bytes: rows are the true classes, shade is the share of the row, counts are written where they fit.
/// confusion [C, C] with C = class_names.size(), at most kMaxConfusionPicture. Throws Error.
std::vector<unsigned char> draw_confusion(const std::vector<int64_t>& confusion,
                                          const std::vector<std::string>& class_names);

inline constexpr int64_t kMaxConfusionPicture = 1000;  // classes: a pixel or more each

}  // namespace vit
