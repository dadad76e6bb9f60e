// What import says of tensors that are missing, of another shape or of no use, and how pieces become parameters.
#include "vit/families/import_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/families/memory_tensors.h"
#include "tests/families/shapes_only.h"
#include "tests/support/caught_error.h"
#include "vit/core/error.h"
#include "vit/families/gather.h"

namespace vit {
namespace {

using nlohmann::json;
using test::counted;
using test::error_of;
using test::holds;
using test::MemoryTensors;

constexpr int64_t kWidth = 64, kHidden = 128, kPatch = 4, kSide = 3;

using Tensors = std::map<std::string, MemoryTensors::Tensor>;

/// timm's vit, two blocks.
Tensors timm_tensors() {
  Tensors t{{"cls_token", counted({1, 1, kWidth})},
            {"pos_embed", counted({1, kSide * kSide + 1, kWidth})},
            {"patch_embed.proj.weight", counted({kWidth, 3, kPatch, kPatch})},
            {"patch_embed.proj.bias", counted({kWidth})},
            {"norm.weight", counted({kWidth})},
            {"norm.bias", counted({kWidth})},
            {"head.weight", counted({5, kWidth})},
            {"head.bias", counted({5})}};
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    const auto add = [&](const char* name, std::vector<int64_t> shape) {
      t[std::string(block) + name] = counted(shape);
    };
    for (const char* norm : {"norm1", "norm2"}) {
      add((std::string(norm) + ".weight").c_str(), {kWidth});
      add((std::string(norm) + ".bias").c_str(), {kWidth});
    }
    add("attn.qkv.weight", {3 * kWidth, kWidth});
    add("attn.qkv.bias", {3 * kWidth});
    add("attn.proj.weight", {kWidth, kWidth});
    add("attn.proj.bias", {kWidth});
    add("mlp.fc1.weight", {kHidden, kWidth});
    add("mlp.fc1.bias", {kHidden});
    add("mlp.fc2.weight", {kWidth, kHidden});
    add("mlp.fc2.bias", {kWidth});
  }
  return t;
}

ImportedWeights import_timm(const Tensors& tensors, const ImportOptions& options = {}, std::string_view family = "") {
  return import_weights(unwrapped(std::make_shared<MemoryTensors>(tensors)), json(), options, family);
}

std::vector<float> values_of(const ImportedWeights& imported, std::string_view name) {
  const ParameterLayout& layout = imported.open.model.layout;
  const Parameter* p = layout.find(name);
  const ParameterValues values = imported.open.weights(static_cast<int>(p - layout.all().data()));
  return {values.data, values.data + p->count};
}

TEST(ImportWeights, ReadsNamesAndShapes) {
  const ImportedWeights imported = import_timm(timm_tensors());
  EXPECT_EQ(imported.family->word, "timm");
  const ModelConfig& c = imported.open.model.config;
  EXPECT_EQ(c.width, kWidth);
  EXPECT_EQ(c.depth, 2);
  EXPECT_EQ(c.heads, 1);
  EXPECT_EQ(c.mlp_width, kHidden);
  EXPECT_EQ(c.image_size, kSide * kPatch);
  EXPECT_EQ(c.classes, 5);
  EXPECT_EQ(c.pooling, "token");
  EXPECT_FALSE(imported.assumed.empty());  // heads, eps and activation are in no shape
  EXPECT_EQ(values_of(imported, "blocks.1.attn.qkv.bias"), counted({3 * kWidth}).values);
}

TEST(ImportWeights, TellsAllFaultsAtOnce) {
  Tensors t = timm_tensors();
  t.erase("blocks.1.norm2.bias");
  t["blocks.0.mlp.fc1.bias"] = counted({kHidden + 1});
  t["blocks.0.extra"] = counted({2});
  const std::string text = error_of(ErrorKind::data, [&] { import_timm(t); });
  EXPECT_TRUE(holds(text, {"missing: blocks.1.norm2.bias"}));
  EXPECT_TRUE(holds(text, {"wrong shape: blocks.0.mlp.fc1.bias needs [128], has [129]"}));
  EXPECT_TRUE(holds(text, {"of no use: blocks.0.extra"}));
}

TEST(ImportWeights, NamesTheFamiliesWhereNoneMatches) {
  const std::string text = error_of(ErrorKind::data, [] { import_timm({{"lstm.weight", counted({2})}}); });
  EXPECT_TRUE(holds(text, {"torchvision"}));
  EXPECT_TRUE(holds(text, {"lstm.weight"}));
  EXPECT_TRUE(holds(error_of(ErrorKind::usage, [] { import_timm(timm_tensors(), {}, "resnet"); }), {"timm"}));
}

TEST(ImportWeights, RefusesSizesThatNoModelHas) {
  Tensors t = timm_tensors();
  t["patch_embed.proj.weight"] = counted({kWidth, 1, kPatch, kPatch});
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { import_timm(t); }), {"3 colours"}));
  t = timm_tensors();
  t["pos_embed"] = counted({1, 12, kWidth});
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { import_timm(t); }), {"pos_embed"}));
  t = timm_tensors();
  t["cls_token"] = counted({0});
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { import_timm(t); }), {"cls_token"}));
}

TEST(ImportWeights, RefusesValuesThatAreNotFinite) {
  Tensors t = timm_tensors();
  t["norm.bias"].values[3] = std::numeric_limits<float>::quiet_NaN();
  const ImportedWeights imported = import_timm(t);
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { values_of(imported, "norm.bias"); }), {"norm.bias"}));
}

TEST(ImportWeights, NewHeadTakesThePlaceOfTheirs) {
  const ImportedWeights imported = import_timm(timm_tensors(), {.new_classes = 7});
  EXPECT_EQ(imported.open.model.config.classes, 7);
  EXPECT_EQ(imported.dropped.size(), 2u);
  const std::vector<float> head = values_of(imported, "head.weight");
  EXPECT_EQ(head.size(), static_cast<std::size_t>(7 * kWidth));
  for (float x : head) EXPECT_LT(std::abs(x), 1);  // drawn, not counted
  EXPECT_EQ(values_of(imported, "norm.bias"), counted({kWidth}).values);
}

TEST(ImportWeights, OtherPicturesResizePositions) {
  const ImportedWeights imported = import_timm(timm_tensors(), {.image_size = 5 * kPatch});
  EXPECT_EQ(imported.open.model.config.image_size, 5 * kPatch);
  const std::vector<float> positions = values_of(imported, "pos_embed");
  ASSERT_EQ(positions.size(), static_cast<std::size_t>(26 * kWidth));
  EXPECT_EQ(positions[1], 1);  // of the class token
  EXPECT_TRUE(holds(error_of(ErrorKind::usage, [] { import_timm(timm_tensors(), {.image_size = 13}); }), {"13"}));
}

TEST(Unwrapped, TakesOffWhatAllNamesBeginWith) {
  Tensors t;
  for (const auto& [name, tensor] : timm_tensors()) t["module.model." + name] = tensor;
  EXPECT_EQ(import_timm(t).open.model.config.depth, 2);
  t["other"] = counted({1});
  EXPECT_THROW(import_timm(t), Error);
}

TEST(Unwrapped, HeadStandsBesideTheBackbone) {
  const auto backbone = std::make_shared<MemoryTensors>(Tensors{{"norm.weight", counted({2})}});
  const auto head = std::make_shared<MemoryTensors>(Tensors{{"weight", counted({3, 2})}, {"bias", counted({3})}});
  const auto both = unwrapped(backbone, head);
  ASSERT_NE(find_tensor(*both, "linear_head.weight"), nullptr);
  std::vector<float> bias(3);
  both->read(*find_tensor(*both, "linear_head.bias"), bias);
  EXPECT_EQ(bias, counted({3}).values);
}

TEST(Permute, GoesThereAndBack) {
  const Piece kernel{.name = "kernel", .shape = {2, 3, 4, 5}, .axes = {3, 2, 0, 1}};
  const std::vector<float> theirs = counted({2, 3, 4, 5}).values;
  std::vector<float> ours(theirs.size()), back(theirs.size());
  permute(kernel, false, theirs.data(), ours.data());
  // ours [5, 4, 2, 3]: element (4, 1, 1, 2) is theirs (1, 2, 1, 4)
  EXPECT_EQ(ours[((4 * 4 + 1) * 2 + 1) * 3 + 2], theirs[((1 * 3 + 2) * 4 + 1) * 5 + 4]);
  permute(kernel, true, ours.data(), back.data());
  EXPECT_EQ(back, theirs);
}

/// A model of one parameter's interest: pieces of norm.weight.
struct OneRule {
  explicit OneRule(std::vector<Piece> pieces) {
    model.config = import_timm(timm_tensors()).open.model.config;
    model.layout = parameter_layout(model.config);
    rules = rules_by_names("test", model.config, {}, true);
    find_rule(rules, "norm.weight")->pieces = std::move(pieces);
  }
  std::vector<float> gather(const Tensors& more) {
    Tensors t = timm_tensors();
    t.insert(more.begin(), more.end());
    const ParameterSource source = gathered(std::make_shared<MemoryTensors>(t), model, rules);
    const Parameter* p = model.layout.find("norm.weight");
    const ParameterValues values = source(static_cast<int>(p - model.layout.all().data()));
    return {values.data, values.data + p->count};
  }
  Model model;
  std::vector<Rule> rules;
};

TEST(Gather, PiecesStandOneBelowTheOther) {
  OneRule one({{.name = "half", .shape = {32}},
               {.name = "", .shape = {16}},
               {.name = "stack", .shape = {1, 4, 16}, .first = 2, .rows = 1, .along = 1},
               {.name = "more", .shape = {16}, .add = true}});
  const std::vector<float> values =
      one.gather({{"half", counted({32}, 100)}, {"stack", counted({1, 4, 16}, 1000)}, {"more", counted({16}, 0.5f)}});
  EXPECT_EQ(values[0], 100);
  EXPECT_EQ(values[31], 131);
  EXPECT_EQ(values[32], 0);
  EXPECT_EQ(values[48], 1000 + 2 * 16 + 0.5f);
  EXPECT_EQ(values[63], 1000 + 2 * 16 + 15 + 15.5f);
}

TEST(ExportedTensors, ScattersWhatWasGathered) {
  OneRule one({{.name = "half", .shape = {32}},
               {.name = "stack", .shape = {1, 4, 16}, .first = 2, .rows = 1, .along = 1},
               {.name = "more", .shape = {16}, .add = true},
               {.name = "", .shape = {16}, .idle = true}});
  const auto exported = exported_tensors(one.rules, one.model, [](int) {
    static const std::vector<float> values = counted({1 << 16}).values;
    return ParameterValues{values.data()};
  });
  std::vector<float> half(32), stack(64), more(16);
  exported->read(*find_tensor(*exported, "half"), half);
  exported->read(*find_tensor(*exported, "stack"), stack);
  exported->read(*find_tensor(*exported, "more"), more);
  EXPECT_EQ(half[31], 31);
  EXPECT_EQ(stack[0], 0);  // no piece lies there
  EXPECT_EQ(stack[2 * 16], 32);
  EXPECT_EQ(more, std::vector<float>(16));
}

TEST(ExportedTensors, RefusesValuesWithoutAPlace) {
  OneRule one({{.name = "half", .shape = {48}}, {.name = "", .shape = {16}}});
  const auto source = [](int) {
    static const std::vector<float> values = counted({1 << 16}).values;
    return ParameterValues{values.data()};
  };
  EXPECT_TRUE(
      holds(error_of(ErrorKind::usage, [&] { exported_tensors(one.rules, one.model, source); }), {"norm.weight"}));
}

}  // namespace
}  // namespace vit
