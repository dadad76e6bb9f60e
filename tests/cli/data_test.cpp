// vit data and vit model.
#include "tests/cli/workspace.h"

namespace vit::test {
namespace {

using Data = Workspace;

TEST_F(Data, ImportMakesSplitsAndInfoCountsThem) {
  make_pictures("pictures", 10, 4);
  const ProgramResult result = run_vit({"data", "import", path("pictures"), path("data.h5"), "--seed", "3"});
  ASSERT_TRUE(ended_with(result, 0));
  EXPECT_NE(result.out.find("3 classes: blue, green, red"), std::string::npos) << result.out;

  const ProgramResult info = run_vit({"data", "info", path("data.h5"), "--json"});
  ASSERT_TRUE(ended_with(info, 0));
  const auto json = nlohmann::json::parse(info.out);
  EXPECT_EQ(json["class_names"], (std::vector<std::string>{"blue", "green", "red"}));
  EXPECT_EQ(json["image_size"], kSide);
  std::map<std::string, std::vector<int>> per_class;
  for (const auto& split : json["splits"]) per_class[split["name"]] = split["images_per_class"].get<std::vector<int>>();
  // 10 % of 10 pictures a class become val.
  EXPECT_EQ(per_class,
            (std::map<std::string, std::vector<int>>{{"train", {9, 9, 9}}, {"val", {1, 1, 1}}, {"test", {4, 4, 4}}}));
}

TEST_F(Data, ImportWithoutValidationShare) {
  make_pictures("pictures", 4, 0);
  ASSERT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("data.h5"), "--val-fraction", "0"}), 0));
  const auto json = nlohmann::json::parse(run_vit({"data", "info", path("data.h5"), "--json"}).out);
  ASSERT_EQ(json["splits"].size(), 1u);
  EXPECT_EQ(json["splits"][0]["images"], 12);
}

TEST_F(Data, ImportDoesNotOverwriteUnlessForced) {
  make_pictures("pictures", 4, 1);
  write_text("data.h5", "precious");
  EXPECT_TRUE(failed_with(run_vit({"data", "import", path("pictures"), path("data.h5")}), 2, {"data.h5"}));
  EXPECT_EQ(text_of(dir_ / "data.h5"), "precious");
  EXPECT_TRUE(ended_with(run_vit({"data", "import", path("pictures"), path("data.h5"), "--force"}), 0));
  EXPECT_TRUE(ended_with(run_vit({"data", "info", path("data.h5")}), 0));
}

TEST_F(Data, ImportNamesAndCountsUnreadablePictures) {
  make_pictures("pictures", 6, 0);
  write_text("pictures/train/red/empty.png", "");
  write_text("pictures/train/red/text.jpg", "this is no picture");
  const ProgramResult result = run_vit({"data", "import", path("pictures"), path("data.h5"), "--val-fraction", "0"});
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_NE(result.err.find("empty.png"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("text.jpg"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("2 inputs could not be read"), std::string::npos) << result.err;
  const auto json = nlohmann::json::parse(run_vit({"data", "info", path("data.h5"), "--json"}).out);
  EXPECT_EQ(json["splits"][0]["images"], 18);
}

TEST_F(Data, ImportPrintsThePlanAndKeepsClassesWithoutPictures) {
  make_pictures("pictures", 6, 2);
  std::filesystem::rename(dir_ / "pictures/train", dir_ / "pictures/Training");
  std::filesystem::rename(dir_ / "pictures/test", dir_ / "pictures/Testing");
  write_text("pictures/Training/bee/1.heic", "x");
  const ProgramResult result = run_vit({"data", "import", path("pictures"), path("data.h5"), "--val-fraction", "0.5"});
  ASSERT_TRUE(ended_with(result, 3));
  EXPECT_LT(result.out.find("plan for "), result.out.find(path("data.h5") + "\n4 classes")) << result.out;
  for (const char* line :
       {"train is Training", "test is Testing", "bee                             1        0        0",
        "red                             3        3        2", "classes without pictures: 1 (bee)"})
    EXPECT_NE(result.out.find(line), std::string::npos) << line << "\n" << result.out;
  const ProgramResult info = run_vit({"data", "info", path("data.h5")});
  EXPECT_NE(info.out.find("classes without pictures: 1 (bee)"), std::string::npos) << info.out;
}

TEST_F(Data, UnclearFoldersWantALayout) {
  make_pictures("pictures", 4, 0);
  write_text("pictures/extra/deeper/1.png", "x");
  for (const char* command : {"import", "info"}) {
    std::vector<std::string> words{"data", command, path("pictures")};
    if (std::string(command) == "import") words.push_back(path("data.h5"));
    EXPECT_TRUE(failed_with(run_vit(words), 2, {"classes (extra, train)", "--layout splits"}));
    words.insert(words.end(), {"--layout", "splits"});
    const ProgramResult result = run_vit(words);
    ASSERT_TRUE(ended_with(result, 0));
    EXPECT_NE((result.out + result.err).find("left out: extra beside the splits"), std::string::npos) << result.err;
  }
}

TEST_F(Data, ImportOfAnEmptyFolderIsAnErrorThatNamesIt) {
  std::filesystem::create_directories(dir_ / "nothing");
  EXPECT_TRUE(failed_with(run_vit({"data", "import", path("nothing"), path("data.h5")}), 1, {path("nothing")}));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "data.h5"));
}

TEST_F(Data, ImportOfWhatIsNotThere) {
  EXPECT_TRUE(failed_with(run_vit({"data", "import", path("nowhere"), path("data.h5")}), 1, {path("nowhere")}));
}

TEST_F(Data, InfoOfSomethingElseIsAnError) {
  write_text("data.h5", "not HDF5 at all");
  EXPECT_TRUE(failed_with(run_vit({"data", "info", path("data.h5")}), 1, {path("data.h5")}));
}

TEST_F(Data, GridCutsTilesRowByRow) {
  // Two classes of one row, three columns of 4 x 4 pixels; each tile has a gray value of its own.
  cv::Mat sheet(8, 12, CV_8UC1);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 12; ++x) sheet.at<uint8_t>(y, x) = static_cast<uint8_t>(100 * (y / 4) + 10 * (x / 4));
  ASSERT_TRUE(cv::imwrite(path("sheet.png"), sheet));
  ASSERT_TRUE(
      ended_with(run_vit({"data", "grid", path("sheet.png"), path("tiles"), "--tile", "4", "--test-columns", "1"}), 0));
  const std::map<std::string, int> gray{{"train/0/0000.png", 0},   {"train/0/0001.png", 10},  {"test/0/0000.png", 20},
                                        {"train/1/0000.png", 100}, {"train/1/0001.png", 110}, {"test/1/0000.png", 120}};
  for (const auto& [name, value] : gray) {
    const cv::Mat tile = cv::imread(path("tiles/" + name), cv::IMREAD_GRAYSCALE);
    ASSERT_EQ(tile.size(), cv::Size(4, 4)) << name;
    EXPECT_EQ(cv::countNonZero(tile != value), 0) << name;
  }
  EXPECT_TRUE(failed_with(run_vit({"data", "grid", path("sheet.png"), path("tiles"), "--tile", "4"}), 2, {"exists"}));
  EXPECT_TRUE(failed_with(run_vit({"data", "grid", path("sheet.png"), path("x"), "--tile", "5"}), 2, {"8", "has 5"}));
}

TEST_F(Data, DrawnDigitsAreTheSameForOneSeed) {
  for (const char* folder : {"a", "b"})
    ASSERT_TRUE(ended_with(run_vit({"data", "draw", path(folder), "--train", "2", "--test", "1", "--seed", "5"}), 0));
  ASSERT_TRUE(ended_with(run_vit({"data", "draw", path("c"), "--train", "2", "--test", "1", "--seed", "6"}), 0));
  for (const char* name : {"train/0/0000.png", "train/9/0001.png", "test/4/0000.png"}) {
    EXPECT_EQ(text_of(dir_ / "a" / name), text_of(dir_ / "b" / name)) << name;
    EXPECT_NE(text_of(dir_ / "a" / name), text_of(dir_ / "c" / name)) << name;
    EXPECT_EQ(cv::imread(path(std::string("a/") + name)).size(), cv::Size(20, 20)) << name;
  }
  EXPECT_NE(text_of(dir_ / "a/train/3/0000.png"), text_of(dir_ / "a/train/3/0001.png"));
}

using ModelFile = Workspace;

TEST_F(ModelFile, InfoNamesThePartsOfAModel) {
  ASSERT_TRUE(ended_with(run_vit({"model", "init", path("cct.h5"), "--model", "cct_7_3x1_32", "--classes", "4"}), 0));
  const std::string info = run_vit({"model", "info", path("cct.h5")}).out;
  EXPECT_NE(info.find("32 x 32 through the tokenizer conv, 256 tokens"), std::string::npos) << info;
  EXPECT_NE(info.find("tokenizer conv"), std::string::npos) << info;
  ASSERT_TRUE(
      ended_with(run_vit({"model", "init", path("plain.h5"), "--model", "vit_micro_patch4_20", "--classes", "4"}), 0));
  EXPECT_EQ(run_vit({"model", "info", path("plain.h5")}).out.find("parts"), std::string::npos);
}

TEST_F(ModelFile, InitAndInfoAgree) {
  init_model(7, "vit_tiny_patch16_224");
  const ProgramResult result = run_vit({"model", "info", path("model.h5"), "--json"});
  ASSERT_TRUE(ended_with(result, 0));
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["config"]["classes"], 7);
  EXPECT_EQ(json["config"]["width"], 192);
  EXPECT_EQ(json["preprocess"]["size"], 224);
  // 5,717,416 with 1,000 classes (timm); a class is 192 weights and a bias.
  EXPECT_EQ(json["parameters"], 5717416 - 993 * 193);
}

TEST_F(ModelFile, InitDoesNotOverwriteUnlessForced) {
  init_model(2);
  const std::string before = text_of(dir_ / "model.h5");
  EXPECT_TRUE(
      failed_with(run_vit({"model", "init", path("model.h5"), "--model", "vit_micro_patch4_20", "--classes", "3"}), 2,
                  {"model.h5"}));
  EXPECT_EQ(text_of(dir_ / "model.h5"), before);
}

TEST_F(ModelFile, InfoOfADataSetSaysWhatIsMissing) {
  make_dataset(4, 1);
  EXPECT_TRUE(failed_with(run_vit({"model", "info", path("data.h5")}), 1, {path("data.h5")}));
}

}  // namespace
}  // namespace vit::test
