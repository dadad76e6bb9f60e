// Published models as they lie on disk, made by make_timm_goldens.py and make_hub_goldens.py: what the packages compute
// from a picture file on is what the imported model computes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "infer/classifier.h"
#include "infer/import_model.h"
#include "tests/support/temp_dir.h"
#include "vit/core/json_text.h"
#include "vit/families/import_weights.h"
#include "vit/io/atomic_file.h"
#include "vit/io/tensor_file.h"

namespace vit {
namespace {

constexpr double kLimit = 1e-4;
const std::filesystem::path kFolder = VIT_SOURCE_DIR "/tests/golden/imports";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (std::filesystem::exists(entry.path() / "expected.json")) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

class Imports : public testing::TestWithParam<std::string> {
 protected:
  Imports() : folder_(kFolder / GetParam()) {
    expected_ = nlohmann::json::parse(read_file(folder_ / "expected.json", 1 << 20));
    const nlohmann::json given = expected_.value("options", nlohmann::json::object());
    options_.family = given.value("family", "");
    options_.preprocess = given.value("preprocess", "");
    options_.image_size = given.value("image_size", 0);
    if (given.contains("head")) options_.head = folder_ / given["head"].get<std::string>();
    source_ = given.contains("file") ? folder_ / given["file"].get<std::string>() : folder_;
  }

  std::filesystem::path folder_, source_;
  nlohmann::json expected_;
  ImportModelOptions options_;
};

/// What the head gives, or the features of a model without one.
std::vector<float> outputs(Classifier& classifier, const std::filesystem::path& picture) {
  const Pipeline& pipeline = classifier.pipeline();
  AlignedBuffer<float> rows(pipeline.patches() * pipeline.patch_dim());
  pipeline.prepare(read_image(picture), TensorView<float>(rows.data(), {pipeline.patches(), pipeline.patch_dim()}));
  const ModelConfig& config = classifier.model().config;
  std::vector<float> values(static_cast<std::size_t>(config.classes > 0 ? config.classes : config.feature_width()));
  EngineOutputs out;
  const TensorView<float> view(values.data(), {1, static_cast<int64_t>(values.size())});
  (config.classes > 0 ? out.logits : out.embeddings) = view;
  classifier.engine().run(TensorView<const float>(rows.data(), {1, pipeline.patches(), pipeline.patch_dim()}), out);
  return values;
}

std::vector<std::size_t> order(const std::vector<float>& values) {
  std::vector<std::size_t> places(values.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::ranges::stable_sort(places, [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return places;
}

TEST_P(Imports, OutputsOfPicturesAreThoseOfThePackage) {
  test::TempDir dir;
  const ImportedModel imported = import_model(source_, options_);
  save_model(dir / "model.h5", imported.open.model, imported.open.weights);
  Classifier classifier = Classifier::open(dir / "model.h5");
  ASSERT_FALSE(expected_["outputs"].empty());
  for (const auto& [picture, values] : expected_["outputs"].items()) {
    const auto want = values.get<std::vector<float>>();
    const std::vector<float> got = outputs(classifier, kFolder / "pictures" / picture);
    ASSERT_EQ(got.size(), want.size());
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])));
    EXPECT_LE(worst, kLimit) << picture;
    EXPECT_EQ(order(got), order(want)) << picture;
  }
}

TEST_P(Imports, WhatIsExportedIsImportedBitByBit) {
  const std::shared_ptr<const TensorFile> file =
      unwrapped(open_tensor_file(source_), options_.head.empty() ? nullptr : open_tensor_file(options_.head));
  const ImportedModel imported = import_model(source_, options_);
  const Model& model = imported.open.model;
  const Family& family = family_of(imported.report.family);
  if (family.rules == nullptr) GTEST_SKIP() << family.word << " is not exported";
  std::shared_ptr<const TensorFile> exported;
  try {
    exported = exported_tensors(family, model, imported.open.weights);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  nlohmann::json config;
  if (std::filesystem::exists(folder_ / "config.json"))
    config = nlohmann::json::parse(read_file(folder_ / "config.json", 1 << 20));
  const ImportedWeights again = import_weights(exported, config, {}, family.word);
  ASSERT_EQ(again.open.model.layout.all().size(), model.layout.all().size());
  for (std::size_t i = 0; i < model.layout.all().size(); ++i) {
    const Parameter& p = model.layout.all()[i];
    const ParameterValues before = imported.open.weights(static_cast<int>(i));
    const ParameterValues after = again.open.weights(static_cast<int>(i));
    EXPECT_TRUE(std::equal(before.data, before.data + p.count, after.data)) << p.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Imports, testing::ValuesIn(cases()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace vit
