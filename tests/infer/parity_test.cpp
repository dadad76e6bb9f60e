// A model beside the dump that tools/parity_dump.py wrote of timm's (make_parity_goldens.py): it agrees, and a change
// of either is found in the stage where it is.
#include "infer/parity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "preprocess/config.h"
#include "tests/support/caught_error.h"
#include "tests/support/temp_dir.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;

const std::filesystem::path kFolder = VIT_SOURCE_DIR "/tests/infer";
const std::filesystem::path kDump = kFolder / "parity_dump.h5";

Model golden_model() { return load_model(kFolder / "parity_model.h5"); }

ParityResult compared(const Model& model, const std::filesystem::path& reference = kDump,
                      const ParityOptions& options = {}) {
  Model shell = load_model(kFolder / "parity_model.h5");
  shell.config = model.config;
  shell.preprocess = model.preprocess;
  return compare_with_reference({std::move(shell), block_source(model.layout, model.weights)}, "a model in memory",
                                reference, options);
}

TEST(Parity, OfTheSameModelIsWhole) {
  const ParityResult result = compared(golden_model());
  EXPECT_TRUE(result.agrees()) << parity_text(result);
  std::vector<std::string> stages;
  for (const StageComparison& s : result.run.stages) stages.push_back(s.stage);
  EXPECT_EQ(stages,
            (std::vector<std::string>{"pixels", "patch rows", "tokens", "block 0", "block 1", "features", "logits"}));
  EXPECT_EQ(result.run.stages[0].max_abs, 0);  // not even the last bit of a pixel
  EXPECT_LT(result.run.stages.back().max_abs, 1e-5);
  EXPECT_GT(result.run.stages.back().max_abs, 0);
  EXPECT_EQ(result.pictures, 2);
  EXPECT_EQ(result.same_answers, 2);
  EXPECT_FALSE(result.from_pixels.has_value());
  EXPECT_TRUE(holds(parity_text(result), {"every stage agrees", "same answer for 2 of 2", "timm "}));
  const auto json = parity_json(result);
  EXPECT_EQ(json["agrees"], true);
  EXPECT_TRUE(json["first_difference"].is_null());
  EXPECT_EQ(json["stages"].size(), 7u);
}

// ---- our side is changed ----

/// The first stage that differs once `change` was made, and why.
struct Found {
  std::string stage, cause;
  ParityResult result;
};

Found after(const std::function<void(Model&)>& change) {
  Model model = golden_model();
  change(model);
  Found found;
  found.result = compared(model);
  const StageComparison* first = found.result.run.first_difference();
  if (first != nullptr) found.stage = first->stage;
  found.cause = found.result.run.cause;
  return found;
}

void change_weight(Model& model, const char* name, int64_t index = 3) {
  at(model.weights, *model.layout.find(name))[index] += 0.5f;
}

TEST(Parity, ChangedWeightsAreFoundInTheirStage) {
  const auto stage = [](const char* weight) { return after([&](Model& m) { change_weight(m, weight); }).stage; };
  EXPECT_EQ(stage("patch_embed.proj.weight"), "tokens");
  EXPECT_EQ(stage("blocks.0.norm1.weight"), "block 0");
  EXPECT_EQ(stage("blocks.0.mlp.fc2.bias"), "block 0");
  EXPECT_EQ(stage("blocks.1.attn.qkv.weight"), "block 1");
  EXPECT_EQ(stage("norm.weight"), "features");
  EXPECT_EQ(stage("head.weight"), "logits");
}

TEST(Parity, TokensTellPositionsFromProjection) {
  const auto cause = [](const std::function<void(Model&)>& change) { return after(change).cause; };
  EXPECT_TRUE(holds(cause([](Model& m) { change_weight(m, "cls_token"); }), {"class token, registers"}));
  EXPECT_TRUE(
      holds(cause([](Model& m) { change_weight(m, "pos_embed", 32 * 5); }), {"positions", "same for every picture"}));
  EXPECT_TRUE(holds(cause([](Model& m) { change_weight(m, "patch_embed.proj.weight"); }), {"patch projection"}));
}

TEST(Parity, CausesOfABlockAndOfLogits) {
  const Found eps = after([](Model& m) { m.config.eps = 1e-3f; });
  EXPECT_EQ(eps.stage, "block 0");
  EXPECT_TRUE(holds(eps.cause, {"eps of the norms"}));
  const Found gelu = after([](Model& m) { m.config.activation = Activation::gelu_tanh; });
  EXPECT_EQ(gelu.stage, "block 0");
  EXPECT_TRUE(holds(gelu.cause, {"kind of GELU"}));
  EXPECT_TRUE(
      holds(after([](Model& m) { change_weight(m, "blocks.1.attn.qkv.weight"); }).cause, {"weights of block 1"}));
  const Found order = after([](Model& m) {
    for (const auto& [name, row] : {std::pair{"head.weight", 32}, std::pair{"head.bias", 1}}) {
      float* values = at(m.weights, *m.layout.find(name));
      std::swap_ranges(values, values + row, values + 4 * row);
    }
  });
  EXPECT_EQ(order.stage, "logits");
  EXPECT_TRUE(holds(order.cause, {"another order"}));
  EXPECT_TRUE(holds(after([](Model& m) { change_weight(m, "head.bias"); }).cause, {"weights of the head"}));
}

TEST(Parity, PixelsTellNumbersFromResize) {
  const auto preprocessed = [](const std::function<void(PreprocessConfig&)>& change) {
    return after([&](Model& m) {
      PreprocessConfig p = preprocess_config_from_json(m.preprocess, "test");
      change(p);
      m.preprocess = to_json(p);
    });
  };
  const Found numbers = preprocessed([](PreprocessConfig& p) { p.mean = {0.485f, 0.456f, 0.406f}; });
  EXPECT_EQ(numbers.stage, "pixels");
  EXPECT_TRUE(holds(numbers.cause, {"mean and std", "mean 0.5000 0.5000 0.5000", "std 0.5000 0.5000 0.5000"}));
  const Found spread = preprocessed([](PreprocessConfig& p) { p.std = {0.25f, 0.5f, 0.5f}; });
  EXPECT_TRUE(holds(spread.cause, {"mean and std", "std 0.5000 0.5000 0.5000"}));
  const Found filter = preprocessed([](PreprocessConfig& p) { p.interpolation = Interpolation::bilinear; });
  EXPECT_EQ(filter.stage, "pixels");
  EXPECT_TRUE(holds(filter.cause, {"resize rule, filter", "of 255"}));
  const Found rule = preprocessed([](PreprocessConfig& p) { p.rule = ResizeRule::squash; });
  EXPECT_TRUE(holds(rule.cause, {"resize rule"}));
  // The network itself is told apart from the pixels.
  ASSERT_TRUE(filter.result.from_pixels.has_value());
  EXPECT_EQ(filter.result.from_pixels->first_difference(), nullptr);
  EXPECT_TRUE(holds(parity_text(filter.result), {"pixels is the first to differ", "with the reference's own pixels"}));
  const auto json = parity_json(filter.result);
  EXPECT_EQ(json["first_difference"]["stage"], "pixels");
  EXPECT_TRUE(json["with_reference_pixels"]["first_difference"].is_null());
}

TEST(Parity, ToleranceDecides) {
  Model model = golden_model();
  at(model.weights, *model.layout.find("head.bias"))[0] += 1e-3f;
  EXPECT_FALSE(compared(model).agrees());
  EXPECT_TRUE(compared(model, kDump, {.tolerance = 1e-2}).agrees());
}

// ---- the dump is changed ----

/// A dump as vectors by name, so that a test can write it with one thing changed.
struct Dump {
  std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>> stages;
  std::string metadata = R"({"versions": {"timm": "0"}, "pictures": ["a.png", "b.png"]})";
  std::vector<uint8_t> encoded;
  std::vector<int64_t> offsets;
  std::string format = "vit-parity", version = "1";

  Dump() {
    const h5::File file = h5::File::open(kDump);
    for (const char* name : {"/pixels", "/patch_rows", "/tokens", "/blocks/0", "/blocks/1", "/features", "/logits"}) {
      auto& [shape, values] = stages[name];
      shape = file.info(name).shape;
      int64_t count = 1;
      for (int64_t n : shape) count *= n;
      values.resize(static_cast<std::size_t>(count));
      file.read(name, std::span<float>(values));
    }
    encoded.resize(static_cast<std::size_t>(file.info("/pictures/encoded").shape[0]));
    file.read("/pictures/encoded", std::span<uint8_t>(encoded));
    offsets.resize(static_cast<std::size_t>(file.info("/pictures/offsets").shape[0]));
    file.read("/pictures/offsets", std::span<int64_t>(offsets));
  }

  void write(const std::filesystem::path& path) const {
    h5::File file = h5::File::create(path);
    file.write_attribute("/", "format", format);
    file.write_attribute("/", "version", version);
    const std::vector<uint8_t> text(metadata.begin(), metadata.end());
    file.write("/metadata", {static_cast<int64_t>(text.size())}, std::span<const uint8_t>(text));
    file.write("/pictures/encoded", {static_cast<int64_t>(encoded.size())}, std::span<const uint8_t>(encoded));
    file.write("/pictures/offsets", {static_cast<int64_t>(offsets.size())}, std::span<const int64_t>(offsets));
    for (const auto& [name, stage] : stages) file.write(name, stage.first, std::span<const float>(stage.second));
    file.close();
  }
};

ParityResult with_dump(const std::function<void(Dump&)>& change) {
  const test::TempDir dir;
  Dump dump;
  change(dump);
  dump.write(dir.path() / "dump.h5");
  return compared(golden_model(), dir.path() / "dump.h5");
}

TEST(Parity, EachStageOfTheDumpIsRead) {
  const std::vector<std::pair<const char*, const char*>> stages{
      {"/pixels", "pixels"},    {"/patch_rows", "patch rows"}, {"/tokens", "tokens"}, {"/blocks/0", "block 0"},
      {"/blocks/1", "block 1"}, {"/features", "features"},     {"/logits", "logits"}};
  for (const auto& [dataset, stage] : stages) {
    const ParityResult result = with_dump([&](Dump& d) { d.stages[dataset].second.back() += 0.01f; });
    ASSERT_NE(result.run.first_difference(), nullptr) << dataset;
    EXPECT_EQ(result.run.first_difference()->stage, stage);
    EXPECT_EQ(result.run.first_difference()->beyond, 1);
    EXPECT_NEAR(result.run.first_difference()->max_abs, 0.01, 1e-4);
  }
}

TEST(Parity, RedAndBlueExchangedAreTold) {
  const ParityResult result = with_dump([](Dump& d) {
    float* pixels = d.stages["/pixels"].second.data();
    for (int64_t b = 0; b < 2; ++b, pixels += 3 * 32 * 32)
      std::swap_ranges(pixels, pixels + 32 * 32, pixels + 2 * 32 * 32);
  });
  EXPECT_TRUE(holds(result.run.cause, {"red and blue are exchanged"}));
}

TEST(Parity, RoundingOfPixelsIsTold) {
  const ParityResult result =
      with_dump([](Dump& d) { d.stages["/pixels"].second[100] += 2.0f / 255; });  // one step of 256
  EXPECT_TRUE(holds(result.run.cause, {"rounding of the resize"}));
}

TEST(Parity, ShapesThatDifferAreTold) {
  const ParityResult classes = with_dump([](Dump& d) {
    d.stages["/logits"].first = {2, 4};
    d.stages["/logits"].second.resize(8);
  });
  ASSERT_NE(classes.run.first_difference(), nullptr);
  EXPECT_EQ(classes.run.first_difference()->stage, "logits");
  EXPECT_FALSE(classes.has_answers);
  EXPECT_TRUE(holds(parity_text(classes), {"logits: 5 here, 4 in the reference", "number of classes"}));
  EXPECT_EQ(parity_json(classes)["stages"].back()["reference_shape"], (nlohmann::json{2, 4}));
  const ParityResult deeper = with_dump([](Dump& d) { d.stages["/blocks/2"] = d.stages["/blocks/1"]; });
  ASSERT_NE(deeper.run.first_difference(), nullptr);
  EXPECT_EQ(deeper.run.first_difference()->stage, "block 2");
  EXPECT_TRUE(holds(deeper.run.cause, {"number of blocks"}));
}

TEST(Parity, StagesThatAreNotThereArePassedOver) {
  const ParityResult result = with_dump([](Dump& d) {
    d.stages.erase("/pixels");
    d.stages.erase("/patch_rows");
    d.stages.erase("/logits");
  });
  EXPECT_TRUE(result.agrees());
  EXPECT_EQ(result.run.stages.size(), 4u);
}

TEST(Parity, DumpsThatAreNoneAreNamed) {
  const auto error = [](const std::function<void(Dump&)>& change) {
    return error_of(ErrorKind::data, [&] { with_dump(change); });
  };
  EXPECT_TRUE(holds(error([](Dump& d) { d.format = "vit-model"; }), {"no dump of a model", "parity_dump.py"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.version = "7"; }), {"version: needs 1, has 7"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.metadata = "{"; }), {"/metadata", "not JSON"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.metadata = "[]"; }), {"/metadata: needs an object, has array"}));
  for (const int64_t wrong : {int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()})
    EXPECT_TRUE(holds(error([&](Dump& d) { d.offsets[1] = wrong; }), {"/pictures/offsets: needs numbers that rise"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.offsets[0] = 1; }), {"/pictures/offsets"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.offsets = {0}; }), {"at least one picture"}));
  EXPECT_TRUE(
      holds(error([](Dump& d) { d.offsets.resize(70, d.offsets.back()); }), {"/pictures/offsets", "at most 65"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.encoded[3] ^= 0xff; }), {"a.png"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.stages["/tokens"].second[7] = NAN; }), {"/tokens: holds a value", "finite"}));
  EXPECT_TRUE(holds(error([](Dump& d) {
                      d.stages["/tokens"].first = {1, 2, 17, 32};
                    }),
                    {"/tokens: needs values for 2"}));
  EXPECT_TRUE(holds(error([](Dump& d) { d.stages.clear(); }), {"no stage"}));
  Model model = golden_model();
  model.preprocess = nullptr;
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { compared(model); }), {"a model in memory"}));
}

TEST(Parity, FilesThatAreCutOffAreNamed) {
  const test::TempDir dir;
  const std::string bytes = read_file(kDump, 1 << 20);
  for (const std::size_t keep : {std::size_t{0}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(dir.path() / "cut.h5", std::ios::binary) << bytes.substr(0, keep);
    EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { compared(golden_model(), dir.path() / "cut.h5"); }), {"cut.h5"}));
  }
}

}  // namespace
}  // namespace vit
