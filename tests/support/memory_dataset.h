// A data set in memory, for tests: pictures that a small model can learn to tell apart.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "preprocess/image.h"
#include "vit/core/error.h"
#include "vit/core/rng.h"

namespace vit::test {

class MemorySplit : public Split {
 public:
  /// `count` squares of `side` pixels: class k has a bright stripe at a place and in a colour of its own, under noise.
  MemorySplit(int64_t count, int64_t side, int64_t classes, uint64_t seed) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t label = i % classes;
      labels_.push_back(static_cast<int32_t>(label));
      if (side == 0) continue;  // pictures of many sizes, which nobody asks for
      RandomStream random(seed, RandomPurpose::test, static_cast<uint64_t>(i));
      cv::Mat rgb = new_pixels(side, side);
      for (int64_t y = 0; y < side; ++y) {
        const bool stripe = y * classes / side == label;
        for (int64_t x = 0; x < side * 3; ++x) {
          const int64_t light = stripe && x % 3 == label % 3 ? 160 : 60;
          rgb.data[y * side * 3 + x] = static_cast<uint8_t>(light + static_cast<int64_t>(random.below(80)));
        }
      }
      pictures_.push_back(image_from_rgb(std::move(rgb)));
    }
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int32_t label(int64_t index) const override { return labels_.at(static_cast<std::size_t>(index)); }
  std::string path(int64_t index) const override { return "memory/" + std::to_string(index); }
  Image image(int64_t index) const override {
    if (std::find(broken.begin(), broken.end(), index) != broken.end())
      fail(ErrorKind::data, "[test] broken picture ", index);
    return pictures_.at(static_cast<std::size_t>(index));
  }

  std::vector<int64_t> broken;  // pictures that cannot be read

 private:
  std::vector<int32_t> labels_;
  std::vector<Image> pictures_;
};

class MemoryDataset : public Dataset {
 public:
  MemoryDataset(int64_t side, int64_t classes, int64_t train, int64_t val) : side_(side) {
    for (int64_t k = 0; k < classes; ++k) names.push_back("class" + std::to_string(k));
    if (train > 0) splits["train"] = std::make_shared<MemorySplit>(train, side, classes, 1);
    if (val > 0) splits["val"] = std::make_shared<MemorySplit>(val, side, classes, 2);
  }

  const std::vector<std::string>& class_names() const override { return names; }
  std::vector<std::string> split_names() const override {
    std::vector<std::string> out;
    for (const auto& entry : splits) out.push_back(entry.first);
    return out;
  }
  std::shared_ptr<const Split> split(const std::string& name) const override {
    const auto found = splits.find(name);
    return found == splits.end() ? nullptr : found->second;
  }
  nlohmann::json preprocess() const override { return stored; }
  std::string checksum(const std::string& split) const override { return checksum_prefix + split; }
  int64_t image_size() const override { return side_; }

  std::vector<std::string> names;
  std::map<std::string, std::shared_ptr<MemorySplit>> splits;
  nlohmann::json stored;  // preprocess()
  std::string checksum_prefix = "sum-of-";

 private:
  int64_t side_;
};

}  // namespace vit::test
