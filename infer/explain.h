// One picture's answer together with where the model looked.
#pragma once

#include <vector>

#include "infer/attention_map.h"
#include "infer/classifier.h"
#include "preprocess/image.h"

namespace vit {

struct Explanation {
  Image view;  // the picture as the model saw it: resized and cropped
  std::vector<Prediction> predictions;
  AttentionMap map;
};

/// The classifier was opened with EngineOptions::attention_maps. A bare cv::Mat is BGR, as cv::imread gives it. Throws
/// Error.
Explanation explain(Classifier& classifier, const Image& image, AttentionMethod method);
Explanation explain(Classifier& classifier, const cv::Mat& bgr, AttentionMethod method);

}  // namespace vit
