// The picture of an explanation: what the model saw beside the same with attention as a heat map.
#pragma once

#include <filesystem>

#include "infer/explain.h"

namespace vit {

/// Original | overlay under a title line with the first answer, at least 224 pixels a side each. BGR, for cv::imshow.
cv::Mat draw_attention(const Explanation& explanation);
/// As PNG; the file appears whole or not at all. Throws Error.
void save_attention(const std::filesystem::path& path, const Explanation& explanation);

}  // namespace vit
