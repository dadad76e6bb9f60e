// vit model import: what is said, what is written, how it fails.
#include "tests/cli/workspace.h"

namespace vit::test {
namespace {

const std::string kImports = VIT_SOURCE_DIR "/tests/golden/imports/";

class ImportCommand : public Workspace {
 protected:
  ProgramResult import_vit(const std::string& source, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"model", "import", source, path("model.h5")};
    words.insert(words.end(), more.begin(), more.end());
    return run_vit(words);
  }
};

TEST_F(ImportCommand, TellsWhatItRecognised) {
  const ProgramResult told = import_vit(kImports + "timm_deit", {"--json", path("report.json")});
  ASSERT_TRUE(ended_with(told, 0));
  for (const char* text :
       {"family       timm\n", "vit", "pre_logits.fc.weight: a layer of old files", "tench", "licence", "apache-2.0"})
    EXPECT_NE(told.out.find(text), std::string::npos) << text << " in " << told.out;
  const nlohmann::json report = json_of("report.json");
  EXPECT_EQ(report["family"], "timm");
  EXPECT_EQ(report["class_names"].size(), 5u);
  EXPECT_EQ(report["dropped"][0]["name"], "pre_logits.fc.weight");
  EXPECT_EQ(report["parameters"], report["parameters_of_source"]);
  EXPECT_EQ(report["config"]["image_size"], report["preprocess"]["size"]);
  ASSERT_TRUE(ended_with(run_vit({"classify", path("model.h5"), kImports + "pictures/wide.png"}), 0));
}

TEST_F(ImportCommand, NothingIsOverwrittenNorWrittenByADryRun) {
  ASSERT_TRUE(ended_with(import_vit(kImports + "timm_token", {"--dry-run"}), 0));
  EXPECT_FALSE(std::filesystem::exists(path("model.h5")));
  ASSERT_TRUE(ended_with(import_vit(kImports + "timm_token"), 0));
  EXPECT_TRUE(ended_with(import_vit(kImports + "timm_mean"), 2));
  EXPECT_TRUE(ended_with(import_vit(kImports + "timm_mean", {"--force"}), 0));
}

TEST_F(ImportCommand, ReadyForFineTuning) {
  make_dataset(4, 2);
  ASSERT_TRUE(ended_with(import_vit(kImports + "timm_token", {"--classes", "3", "--head", "new", "--image-size", "20",
                                                              "--source", "a shelf", "--licence", "none"}),
                         0));
  ASSERT_TRUE(ended_with(run_vit({"train", path("data.h5"), "--out", path("run"), "--init", path("model.h5"),
                                  "--epochs", "1", "--batch", "6"}),
                         0));
  const ProgramResult info = run_vit({"model", "info", path("run/best.h5"), "--json"});
  ASSERT_TRUE(ended_with(info, 0));
  const nlohmann::json origin = nlohmann::json::parse(info.out)["origin"];
  EXPECT_EQ(origin["source"], "a shelf");
  EXPECT_EQ(origin["licence"], "none");
}

TEST_F(ImportCommand, SaysWhatIsWrong) {
  const auto error = [&](int code, const std::string& source, const std::vector<std::string>& more, const char* text) {
    const ProgramResult result = import_vit(source, more);
    EXPECT_TRUE(ended_with(result, code));
    EXPECT_NE(result.err.find(text), std::string::npos) << text << " in " << result.err;
    EXPECT_FALSE(std::filesystem::exists(path("model.h5")));
  };
  error(1, path("nowhere"), {}, "nowhere");
  error(2, kImports + "timm_token", {"--family", "resnet"}, "timm");
  error(1, kImports + "timm_token", {"--family", "torchvision"}, "conv_proj.weight");
  error(2, kImports + "timm_token", {"--classes", "3"}, "--head new");
  error(2, kImports + "timm_token", {"--image-size", "19"}, "19");
  error(2, kImports + "timm_token", {"--preprocess", "timn"}, "timm");
  error(1, kImports + "timm_token", {"--config", kImports + "timm_siglip/none.json"}, "none.json");
  write_text("config.json", R"({"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": "many"}})");
  error(1, kImports + "timm_token", {"--config", path("config.json")}, "num_heads");
  write_text("labels.txt", "one\ntwo\n");
  error(1, kImports + "timm_token", {"--labels", path("labels.txt")}, "5 classes");
}

}  // namespace
}  // namespace vit::test
