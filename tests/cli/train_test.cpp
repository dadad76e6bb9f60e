// vit train.
#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "tests/cli/workspace.h"
#include "train/config.h"
#include "vit/core/options.h"

namespace vit::test {
namespace {

using Train = Workspace;

TEST_F(Train, WritesTheWholeRun) {
  make_dataset();
  const ProgramResult result = run_vit(train_command({"--seed", "4"}));
  ASSERT_TRUE(ended_with(result, 0));
  for (const char* name : {"best.h5", "last.h5", "history.csv", "history.jsonl", "config.json", "curves.png"})
    EXPECT_TRUE(std::filesystem::is_regular_file(dir_ / "run" / name)) << name;
  EXPECT_FALSE(cv::imread(path("run/curves.png")).empty());

  const auto rows = lines_of(text_of(dir_ / "run/history.jsonl"));
  ASSERT_EQ(rows.size(), 2u);
  for (const char* field :
       {"epoch", "step", "lr", "train_loss", "val_loss", "val_top1", "images_per_second", "seconds"}) {
    EXPECT_TRUE(nlohmann::json::parse(rows[1]).contains(field)) << field;
    EXPECT_NE(lines_of(text_of(dir_ / "run/history.csv")).front().find(field), std::string::npos) << field;
  }
  EXPECT_NE(result.out.find("epoch   2/2"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("best.h5"), std::string::npos) << result.out;
  EXPECT_TRUE(ended_with(run_vit({"model", "info", path("run/best.h5")}), 0));
  EXPECT_TRUE(ended_with(run_vit({"model", "info", path("run/last.h5")}), 0));
}

TEST_F(Train, CommandLineWinsOverConfigOverRecipe) {
  make_dataset();
  write_text("config.json", R"({"lr": 0.002, "weight_decay": 0.01, "augment": {"rotate": 3}})");
  ASSERT_TRUE(ended_with(run_vit(train_command({"--recipe", "digits", "--config", path("config.json"), "--lr", "3e-3",
                                                "--mean", ".1", ".2", "0.3"})),
                         0));
  const auto config = json_of("run/config.json");
  EXPECT_EQ(config["lr"], 0.003);
  EXPECT_EQ(config["weight_decay"], 0.01);
  EXPECT_EQ(config["augment"]["rotate"], 3);
  EXPECT_NE(config["augment"]["shear"], 0);  // of the recipe
  EXPECT_EQ(config["recipe"], "digits");
  EXPECT_EQ(config["preprocess"]["mean"], (std::vector<double>{0.1, 0.2, 0.3}));
}

TEST_F(Train, ArchitectureIsChosenOnTheCommandLine) {
  make_dataset();
  const auto command = [&](const char* depth, bool resume) {
    std::vector<std::string> options = {"--depth", depth, "--width", "128", "--class-token", "off", "--pooling", "avg"};
    if (resume) options.emplace_back("--resume");
    return train_command(options);
  };
  ASSERT_TRUE(ended_with(run_vit(command("2", false)), 0));
  const auto model = json_of("run/config.json")["model"];
  EXPECT_EQ(model["depth"], 2);
  EXPECT_EQ(model["width"], 128);
  EXPECT_EQ(model["heads"], 4);  // of the same size
  EXPECT_EQ(model["class_token"], false);
  EXPECT_EQ(model["pooling"], "avg");
  EXPECT_NE(model["name"].get<std::string>().find("depth=2"), std::string::npos) << model["name"];
  EXPECT_TRUE(ended_with(run_vit(command("2", true)), 0));
  EXPECT_TRUE(failed_with(run_vit(command("3", true)), 2, {"model.depth"}));
}

TEST_F(Train, TheHelpNamesEveryOptionOfTheTables) {
  const std::string help = run_vit({"train", "--help"}).out;
  const auto expect_all = [&help](const auto& table) {
    for (const auto& field : table)
      if (field.option != nullptr) {
        EXPECT_NE(help.find(concat("\n  ", field.option, " ")), std::string::npos) << field.option;
      }
  };
  expect_all(train_options());
  expect_all(model_options());
  expect_all(preprocess_options());
  expect_all(augment_options());
}

TEST_F(Train, UnknownFieldOfTheConfigIsNamed) {
  make_dataset();
  write_text("config.json", R"({"learning_rate": 0.002})");
  EXPECT_TRUE(failed_with(run_vit(train_command({"--config", path("config.json")})), 1,
                          {path("config.json"), "learning_rate"}));
}

TEST_F(Train, ValuesOutOfRangeAreUsageErrors) {
  make_dataset(4, 1);
  EXPECT_TRUE(failed_with(run_vit(train_command({"--lr", "-1"})), 2, {"lr", "-1"}));
  EXPECT_TRUE(failed_with(run_vit(train_command({"--dropout", "1"})), 2, {"dropout"}));
}

TEST_F(Train, ValuesOutOfRangeInAFileAreUsageErrors) {
  make_dataset(4, 1);
  for (const auto& [text, field] : std::map<std::string, std::string>{{R"({"lr": 1e400})", "1e400"},
                                                                      {R"({"lr": 1e60})", "lr"},
                                                                      {R"({"epochs": 0})", "epochs"},
                                                                      {R"({"preprocess": {"std": [0, 0, 0]}})", "std"},
                                                                      {R"({"augment": {"flip": 2}})", "flip"}}) {
    write_text("config.json", text);
    EXPECT_TRUE(failed_with(run_vit({"train", path("data.h5"), "--out", path("run"), "--config", path("config.json")}),
                            2, {field}));
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run"));
}

TEST_F(Train, OneEpochNeedsNoOtherOption) {
  make_dataset(4, 1);
  const ProgramResult result = run_vit({"train", path("data.h5"), "--out", path("run"), "--epochs", "1"});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.err.find("warmup_epochs: 0.5 and not 2"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("batch: "), std::string::npos) << result.err;
  EXPECT_EQ(json_of("run/config.json")["warmup_epochs"], 0.5);
  // What was fitted stands in the file, which makes the same run again without a word.
  const ProgramResult again =
      run_vit({"train", path("data.h5"), "--out", path("again"), "--config", path("run/config.json")});
  ASSERT_TRUE(ended_with(again, 0));
  EXPECT_EQ(again.err.find("vit:"), std::string::npos) << again.err;
  EXPECT_EQ(json_of("again/config.json"), json_of("run/config.json"));
}

TEST_F(Train, InitKeepsTheHeadByClassName) {
  make_model();
  std::filesystem::rename(dir_ / "pictures/train/blue", dir_ / "pictures/train/teal");
  std::filesystem::rename(dir_ / "pictures/test/blue", dir_ / "pictures/test/teal");
  const ProgramResult result =
      run_vit({"train", path("pictures"), "--out", path("second"), "--epochs", "1", "--init", path("run/best.h5")});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.err.find("head: 2 of 3 classes kept by name, new: 'teal', dropped: 'blue'"), std::string::npos)
      << result.err;
}

TEST_F(Train, TheSideThatWasChosenIsTrained) {
  make_pictures("pictures", 6, 0);
  const std::vector<std::string> command{"train",   path("pictures"),      "--out",        path("run"), "--epochs", "1",
                                         "--model", "vit_micro_patch4_20", "--image-size", "12"};
  ASSERT_TRUE(ended_with(run_vit(command), 0));
  EXPECT_EQ(json_of("run/config.json")["model"]["image_size"], 12);
  EXPECT_EQ(json_of("run/config.json")["preprocess"]["size"], 12);
  ASSERT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("small.h5"), "--size", "16"}), 0));
  for (const auto& [option, value] : std::map<std::string, std::string>{
           {"--image-size", "12"}, {"--resize", "squash"}, {"--interpolation", "area"}, {"--resize-size", "20"}})
    EXPECT_TRUE(failed_with(run_vit({"train", path("small.h5"), "--out", path("run2"), option, value}), 2,
                            {option, "imported"}));
}

TEST_F(Train, ResumeTakesTheOptionsOfTheRunOnly) {
  make_dataset(8, 2);
  ASSERT_TRUE(ended_with(run_vit(train_command()), 0));
  EXPECT_TRUE(ended_with(run_vit(train_command({"--resume"})), 0));  // the same ones again
  EXPECT_TRUE(failed_with(run_vit(train_command({"--resume", "--lr", "0.5"})), 2, {"lr: needs", "0.5", "--resume"}));
  EXPECT_TRUE(failed_with(run_vit(train_command({"--resume", "--recipe", "digits"})), 2, {"recipe"}));
  make_pictures("others", 8, 2);
  std::filesystem::rename(dir_ / "others/train/blue", dir_ / "others/train/teal");
  std::filesystem::rename(dir_ / "others/test/blue", dir_ / "others/test/teal");
  std::vector<std::string> command = train_command({"--resume"});
  command[1] = path("others");
  EXPECT_TRUE(failed_with(run_vit(command), 1, {"only in the data: 'teal'", "only in the run: 'blue'"}));
}

TEST_F(Train, DoesNotStartOverARunUnlessForced) {
  make_model();
  const std::string before = text_of(dir_ / "run/last.h5");
  EXPECT_TRUE(failed_with(run_vit(train_command()), 2, {path("run"), "--resume", "--force"}));
  EXPECT_EQ(text_of(dir_ / "run/last.h5"), before);
  EXPECT_TRUE(ended_with(run_vit(train_command({"--force"})), 0));
}

TEST_F(Train, ResumeWithoutARunIsAUsageError) {
  make_dataset(4, 1);
  EXPECT_TRUE(failed_with(run_vit(train_command({"--resume"})), 2, {path("run")}));
}

TEST_F(Train, SignalSavesAndResumeEndsWithTheSameWeights) {
  make_dataset();
  const std::vector<std::string> straight = train_command({"--epochs", "6"});
  ASSERT_TRUE(ended_with(run_vit(straight), 0));
  std::filesystem::rename(dir_ / "run", dir_ / "straight");

  std::vector<std::string> command = straight;
  command.insert(command.begin(), VIT_PROGRAM);
  RunningProgram running(command);
  for (int i = 0; i < 3000 && running.out_so_far().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  running.send(SIGTERM);
  const ProgramResult stopped = running.wait();
  ASSERT_TRUE(ended_with(stopped, 0));
  EXPECT_TRUE(ended_with(run_vit({"model", "info", path("run/last.h5")}), 0));

  ASSERT_TRUE(ended_with(run_vit({"train", path("data.h5"), "--out", path("run"), "--resume"}), 0));
  EXPECT_EQ(lines_of(text_of(dir_ / "run/history.jsonl")).size(), 6u);
  const auto losses = [](const std::string& text) {
    std::vector<nlohmann::json> values;
    for (const std::string& line : lines_of(text)) {
      const auto row = nlohmann::json::parse(line);
      values.push_back({row["train_loss"], row["val_loss"], row["val_top1"]});
    }
    return values;
  };
  EXPECT_EQ(losses(text_of(dir_ / "run/history.jsonl")), losses(text_of(dir_ / "straight/history.jsonl")));
}

TEST_F(Train, AFolderOfPicturesWillDo) {
  make_pictures("pictures", 8, 0);
  std::vector<std::string> command = train_command({"--epochs", "1"});
  command[1] = path("pictures");
  EXPECT_TRUE(ended_with(run_vit(command), 0));
}

TEST_F(Train, UnreadablePicturesAreNamedAndCounted) {
  make_pictures("pictures", 8, 0);
  write_text("pictures/train/red/empty.png", "");
  std::vector<std::string> command = train_command({"--epochs", "1"});
  command[1] = path("pictures");
  const ProgramResult result = run_vit(command);
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_NE(result.err.find("empty.png"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("1 input could not be read"), std::string::npos) << result.err;
}

TEST_F(Train, OneClassCannotBeLearnt) {
  make_pictures("pictures", 8, 0, 1);
  std::vector<std::string> command = train_command();
  command[1] = path("pictures");
  EXPECT_TRUE(failed_with(run_vit(command), 1, {"1 class"}));
}

TEST_F(Train, ModelOfAnotherPictureSizeIsNamed) {
  make_dataset(4, 1);
  EXPECT_TRUE(failed_with(run_vit({"train", path("data.h5"), "--out", path("run"), "--init", path("none.h5")}), 1,
                          {path("none.h5")}));
  ASSERT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("small.h5"), "--size", "16"}), 0));
  EXPECT_TRUE(failed_with(run_vit({"train", path("small.h5"), "--out", path("run2"), "--model", "vit_micro_patch4_20"}),
                          1, {"16", "20"}));
}

}  // namespace
}  // namespace vit::test
