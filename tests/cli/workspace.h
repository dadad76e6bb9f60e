// A small data set of coloured squares on disk, and the commands that most tests begin with.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace vit::test {

class Workspace : public testing::Test {
 protected:
  static constexpr int kSide = 20;  // what vit_micro_patch4_20 takes
  static constexpr const char* kClasses[] = {"blue", "green", "red"};

  std::string path(const std::string& name) const { return (dir_ / name).string(); }

  /// A square of one colour (0 blue, 1 green, 2 red) whose shade depends on `index`.
  static void write_square(const std::filesystem::path& file, int colour, int index, int side = kSide) {
    std::filesystem::create_directories(file.parent_path());
    cv::Scalar bgr = cv::Scalar::all(10 + index % 5);
    bgr[colour] = 140 + 5 * (index % 20);
    ASSERT_TRUE(cv::imwrite(file.string(), cv::Mat(side, side, CV_8UC3, bgr)));
  }

  /// FOLDER/train/<colour>/N.png and FOLDER/test/...
  void make_pictures(const std::string& folder, int train, int test, int classes = 3) {
    for (int c = 0; c < classes; ++c) {
      for (int i = 0; i < train; ++i)
        write_square(dir_ / folder / "train" / kClasses[c] / (std::to_string(i) + ".png"), c, i);
      for (int i = 0; i < test; ++i)
        write_square(dir_ / folder / "test" / kClasses[c] / (std::to_string(i) + ".png"), c, i + 7);
    }
  }

  void write_text(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }

  /// pictures/ and data.h5.
  void make_dataset(int train = 20, int test = 5) {
    make_pictures("pictures", train, test);
    ASSERT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("data.h5")}), 0));
  }

  std::vector<std::string> train_command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{
        "train", path("data.h5"), "--out", path("run"),       "--model", "vit_micro_patch4_20", "--batch",
        "12",    "--epochs",      "2",     "--warmup-epochs", "0.5"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  /// data.h5 and run/best.h5.
  void make_model() {
    make_dataset();
    ASSERT_TRUE(ended_with(run_vit(train_command()), 0));
  }

  /// model.h5, not trained, for `classes` classes without names.
  void init_model(int classes, const std::string& preset = "vit_micro_patch4_20") {
    ASSERT_TRUE(ended_with(run_vit({"model", "init", path("model.h5"), "--model", preset, "--classes",
                                    std::to_string(classes), "--force"}),
                           0));
  }

  nlohmann::json json_of(const std::string& name) const { return nlohmann::json::parse(text_of(dir_ / name)); }

  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  TempDir dir_;
};

}  // namespace vit::test
