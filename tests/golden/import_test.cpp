// Models as other packages publish them, from the folder and the picture file on: their outputs are the packages'
// (make_hub_goldens.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "infer/classify_files.h"
#include "infer/import_model.h"
#include "tests/support/tolerance.h"

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

class ImportedGolden : public testing::TestWithParam<std::string> {};

TEST_P(ImportedGolden, OutputsFromThePictureFileOn) {
  const fs::path folder = kFolder / GetParam();
  const nlohmann::json expected = nlohmann::json::parse(std::ifstream(folder / "expected.json"))["outputs"];
  ASSERT_FALSE(expected.empty());
  ImportedModel imported = import_model(folder);
  const bool head = imported.open.model.config.classes > 0;
  Classifier classifier(std::move(imported.open), GetParam());
  std::vector<InputFile> pictures;
  for (const auto& [name, values] : expected.items()) pictures.push_back({(kFolder / "pictures" / name).string(), ""});
  int compared = 0;
  classify_files(classifier, pictures, {.embeddings = true}, [&](const FileResult& result) {
    ASSERT_EQ(result.error, "");
    const std::vector<float> want = expected[fs::path(result.path).filename().string()];
    const std::span<const float> got = head ? result.logits : result.embedding;
    ASSERT_EQ(got.size(), want.size());
    EXPECT_TRUE(is_close(got, std::span<const float>(want), kOutputs)) << result.path;
    if (head) EXPECT_EQ(order_of(got), order_of(want)) << result.path;
    ++compared;
  });
  EXPECT_EQ(compared, static_cast<int>(expected.size()));
}

INSTANTIATE_TEST_SUITE_P(Folders, ImportedGolden, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace vit
