// train_own_dataset RUN: trains a model on pictures that no file holds; here the program draws them, circles and
// squares. Any source of pictures will do: a class that says how many there are, of which class each is, and gives each
// one whenever it is asked, from several threads at once.
#include <datasets/dataset.h>
#include <preprocess/image.h>
#include <train/trainer.h>
#include <vit/core/error.h>

#include <iostream>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

namespace {

constexpr int kSide = 20;

class Bars : public vit::Split {
 public:
  Bars(int64_t count, uint64_t seed) : count_(count), seed_(seed) {}
  int64_t size() const override { return count_; }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index % 2); }
  std::string path(int64_t index) const override { return "bar " + std::to_string(index); }
  vit::Image image(int64_t index) const override {
    cv::RNG random(seed_ + static_cast<uint64_t>(index));  // the same picture each time it is asked for
    cv::Mat bgr(kSide, kSide, CV_8UC3, cv::Scalar::all(random.uniform(0, 60)));
    const cv::Scalar ink(random.uniform(120, 255), random.uniform(120, 255), random.uniform(120, 255));
    const cv::Point at(random.uniform(1, 10), random.uniform(1, 10));
    const cv::Size bar = label(index) == 0 ? cv::Size(9, 3) : cv::Size(3, 9);
    cv::rectangle(bgr, cv::Rect(at, bar), ink, cv::FILLED);
    return vit::image_from_bgr(bgr);
  }

 private:
  int64_t count_;
  uint64_t seed_;
};

class BarsDataset : public vit::Dataset {
 public:
  const std::vector<std::string>& class_names() const override { return names_; }
  std::vector<std::string> split_names() const override { return {"train", "val"}; }
  std::shared_ptr<const vit::Split> split(const std::string& name) const override {
    if (name == "train") return std::make_shared<Bars>(600, 1);
    if (name == "val") return std::make_shared<Bars>(100, 1'000'000);
    return nullptr;
  }
  nlohmann::json preprocess() const override { return nullptr; }
  std::string checksum(const std::string&) const override { return ""; }
  int64_t image_size() const override { return kSide; }

 private:
  std::vector<std::string> names_{"lying", "standing"};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: train_own_dataset RUN\n";
    return 2;
  }
  try {
    vit::TrainConfig config = vit::train_recipe("digits");
    config.epochs = 5;
    config.warmup_epochs = 1;
    const auto show = [](const vit::HistoryRow& row) {
      std::cout << "epoch " << row.epoch << ": " << 100 * row.val_top1.value_or(0) << " % right\n";
    };
    vit::train(config, BarsDataset(), argv[1], {.force = true, .on_epoch = show});
    std::cout << argv[1] << "/best.h5 is the model\n";
  } catch (const vit::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
