// A tiny random model and pictures for it.
#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "preprocess/config.h"
#include "vit/core/rng.h"
#include "vit/model/model_file.h"

namespace vit::test {

/// 16 x 16 pictures, four patches, two layers; its weights are large enough for answers that differ.
inline Model small_model(
    const std::vector<std::string>& class_names, const std::string& pooling = "token",
    const std::function<void(ModelConfig&)>& change = [](ModelConfig&) {}) {
  ModelConfig config;
  config.name = "small";
  config.image_size = 16;
  config.patch_size = 8;
  config.width = 32;
  config.depth = 2;
  config.heads = 2;
  config.mlp_width = 64;
  config.classes = static_cast<int64_t>(class_names.size());
  config.pooling = pooling;
  change(config);
  Model model = make_model(config, 5);
  RandomStream random(5, RandomPurpose::test);
  for (const Parameter& p : model.layout.all()) {
    if (!p.role.decay) continue;
    for (int64_t i = 0; i < p.count; ++i) at(model.weights, p)[i] = 0.3f * random.normal();
  }
  PreprocessConfig preprocess;
  preprocess.size = 16;
  preprocess.resize_size = 16;
  model.preprocess = to_json(preprocess);
  model.class_names = class_names;
  return model;
}

/// Coloured noise in blocks, a different picture for each number.
inline cv::Mat random_picture(int width, int height, uint64_t number) {
  RandomStream random(11, RandomPurpose::test, number);
  cv::Mat picture(height, width, CV_8UC3);
  std::vector<cv::Vec3b> blocks(64);
  for (auto& block : blocks)
    for (int c = 0; c < 3; ++c) block[c] = static_cast<uint8_t>(random.below(256));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      picture.at<cv::Vec3b>(y, x) = blocks[static_cast<std::size_t>(8 * (8 * y / height) + 8 * x / width)];
  return picture;
}

inline void write_picture(const std::filesystem::path& path, const cv::Mat& picture) {
  std::filesystem::create_directories(path.parent_path());
  if (!cv::imwrite(path.string(), picture)) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace vit::test
