// Models as other packages publish them, from the folder and the picture file on: their outputs are the packages'
// (make_hub_goldens.py, make_timm_goldens.py), and what is exported again is what was there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "infer/classify_files.h"
#include "infer/import_model.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tolerance.h"
#include "vit/families/import_weights.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using test::is_close;
using test::Tolerance;

constexpr Tolerance kOutputs{1e-4, 0};

const fs::path kFolder = VIT_SOURCE_DIR "/tests/golden/imports";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder))
    if (fs::exists(entry.path() / "expected.json")) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::vector<int> order_of(std::span<const float> values) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](int i) { return values[static_cast<std::size_t>(i)]; });
  return order;
}

class ImportedGolden : public testing::TestWithParam<std::string> {
 protected:
  ImportedGolden()
      : folder_(kFolder / GetParam()),
        expected_(nlohmann::json::parse(std::ifstream(folder_ / "expected.json"))),
        source_(folder_) {
    const nlohmann::json given = expected_.value("options", nlohmann::json::object());  // how the case is imported
    options_.preprocess = given.value("preprocess", "");
    options_.image_size = given.value("image_size", 0);
    if (given.contains("head")) options_.head = folder_ / given["head"].get<std::string>();
    if (given.contains("file")) source_ /= given["file"].get<std::string>();
  }

  fs::path folder_;
  nlohmann::json expected_;
  fs::path source_;
  ImportModelOptions options_;
};

TEST_P(ImportedGolden, OutputsFromThePictureFileOn) {
  const nlohmann::json& outputs = expected_["outputs"];
  ASSERT_FALSE(outputs.empty());
  test::TempDir dir;
  const ImportedModel imported = import_model(source_, options_);
  save_model(dir / "model.h5", imported.open.model, imported.open.weights);
  const bool head = imported.open.model.config.classes > 0;
  Classifier classifier = Classifier::open(dir / "model.h5");
  std::vector<InputFile> pictures;
  for (const auto& [name, values] : outputs.items()) pictures.push_back({(kFolder / "pictures" / name).string(), ""});
  int compared = 0;
  classify_files(classifier, pictures, {.embeddings = true}, [&](const FileResult& result) {
    ASSERT_EQ(result.error, "");
    const std::vector<float> want = outputs[fs::path(result.path).filename().string()];
    const std::span<const float> got = head ? result.logits : result.embedding;
    ASSERT_EQ(got.size(), want.size());
    EXPECT_TRUE(is_close(got, std::span<const float>(want), kOutputs)) << result.path;
    if (head) {
      EXPECT_EQ(order_of(got), order_of(want)) << result.path;
    }
    ++compared;
  });
  EXPECT_EQ(compared, static_cast<int>(outputs.size()));
}

TEST_P(ImportedGolden, ExportedWeightsAreImportedBitByBit) {
  const ImportedModel imported = import_model(source_, options_);
  const Model& model = imported.open.model;
  const Family& family = family_of(imported.report.family);
  if (family.rules == nullptr) GTEST_SKIP() << family.word << " is not exported";
  std::shared_ptr<const TensorFile> exported;
  try {
    exported = exported_tensors(family, model, imported.open.weights);
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::usage);
    GTEST_SKIP() << error.what();
  }
  nlohmann::json config;
  if (fs::exists(folder_ / "config.json")) config = nlohmann::json::parse(std::ifstream(folder_ / "config.json"));
  if (config.contains("image_size")) config["image_size"] = model.config.image_size;  // positions may be resized
  const ImportedWeights again = import_weights(exported, config, {}, family.word);
  ASSERT_EQ(again.open.model.layout.all().size(), model.layout.all().size());
  for (std::size_t i = 0; i < model.layout.all().size(); ++i) {
    const Parameter& p = model.layout.all()[i];
    const ParameterValues before = imported.open.weights(static_cast<int>(i));
    const ParameterValues after = again.open.weights(static_cast<int>(i));
    EXPECT_TRUE(std::equal(before.data, before.data + p.count, after.data)) << p.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, ImportedGolden, testing::ValuesIn(cases()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace vit
