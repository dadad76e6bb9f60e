// What an operation of augmentation is: a file of this folder and a row of the table in operations.cpp.
#pragma once

#include <opencv2/core/mat.hpp>
#include <string_view>

#include "preprocess/augment.h"
#include "vit/core/rng.h"

namespace vit::augment_ops {

/// A picture (CV_8UC3, RGB) and the fields of the operation to the changed picture. The pixels of `picture` may belong
/// to others and are not written to; the result may share them.
using Apply = cv::Mat(const cv::Mat& picture, const AugmentConfig& config, RandomStream& random);

/// Whose random numbers it draws.
enum class Draws { in_turn, own };

struct Operation {
  std::string_view name;  // its word; also the key of its own stream
  AugmentStage stage;
  Draws draws;
  bool (*is_on)(const AugmentConfig& config);
  Apply* apply;
};

}  // namespace vit::augment_ops
