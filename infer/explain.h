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

Explanation explain(Classifier& classifier, const Image& image, AttentionMethod method);

}  // namespace vit
