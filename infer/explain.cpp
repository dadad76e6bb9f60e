#include "infer/explain.h"

#include "preprocess/resize_crop.h"

namespace vit {

Explanation explain(Classifier& classifier, const Image& image, AttentionMethod method) {
  const ModelConfig& config = classifier.model().config;
  const Pipeline& pipeline = classifier.pipeline();
  const int64_t tokens = config.tokens().count();
  const int64_t maps = config.depth * config.heads;
  AlignedBuffer<float> patches(pipeline.patches() * pipeline.patch_dim());
  AlignedBuffer<float> logits(config.classes);
  AlignedBuffer<float> attention(maps * tokens * tokens);

  Explanation result;
  result.view = resize_crop(image, pipeline.config());
  pipeline.prepare(image, TensorView<float>(patches.data(), {pipeline.patches(), pipeline.patch_dim()}));
  EngineOutputs outputs;
  if (config.classes > 0) outputs.logits = TensorView<float>(logits.data(), {1, config.classes});
  outputs.attention = TensorView<float>(attention.data(), {1, maps, tokens * tokens});
  classifier.engine().run(TensorView<const float>(patches.data(), {1, pipeline.patches(), pipeline.patch_dim()}),
                          outputs);
  if (config.classes > 0)
    result.predictions = top_predictions(logits.data(), config.classes, 5, classifier.model().class_names);
  result.map = attention_map(TensorView<const float>(outputs.attention)[0], config, method);
  return result;
}

Explanation explain(Classifier& classifier, const cv::Mat& bgr, AttentionMethod method) {
  return explain(classifier, image_from_bgr(bgr), method);
}

}  // namespace vit
