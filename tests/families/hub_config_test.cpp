// What config.json says, or does not, of models of transformers and open_clip. Defaults are those of the config classes
// of transformers 5.24 and open_clip 3.3.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/families/shapes_only.h"
#include "tests/support/caught_error.h"
#include "vit/core/json_fields.h"
#include "vit/families/import_weights.h"

namespace vit {
namespace {

using nlohmann::json;
using test::error_of;
using test::holds;
using Shapes = test::ShapesOnly::Shapes;

constexpr int64_t kWidth = 48, kHidden = 96, kPatch = 4, kSide = 3;

void add_linear(Shapes& shapes, const std::string& name, int64_t out, int64_t in) {
  shapes[name + ".weight"] = {out, in};
  shapes[name + ".bias"] = {out};
}

void add_norm(Shapes& shapes, const std::string& name) {
  shapes[name + ".weight"] = {kWidth};
  shapes[name + ".bias"] = {kWidth};
}

/// ViTForImageClassification of transformers 4, one block.
Shapes vit_shapes() {
  Shapes s{{"vit.embeddings.cls_token", {1, 1, kWidth}},
           {"vit.embeddings.position_embeddings", {1, kSide * kSide + 1, kWidth}},
           {"vit.embeddings.patch_embeddings.projection.weight", {kWidth, 3, kPatch, kPatch}},
           {"vit.embeddings.patch_embeddings.projection.bias", {kWidth}}};
  const std::string layer = "vit.encoder.layer.0.";
  for (const char* part : {"query", "key", "value"})
    add_linear(s, layer + "attention.attention." + part, kWidth, kWidth);
  add_linear(s, layer + "attention.output.dense", kWidth, kWidth);
  add_linear(s, layer + "intermediate.dense", kHidden, kWidth);
  add_linear(s, layer + "output.dense", kWidth, kHidden);
  add_norm(s, layer + "layernorm_before");
  add_norm(s, layer + "layernorm_after");
  add_norm(s, "vit.layernorm");
  add_linear(s, "classifier", 5, kWidth);
  return s;
}

/// An image tower of CLIP or SigLIP, one block.
Shapes tower_shapes(bool clip) {
  const std::string model = "vision_model.", layer = model + "encoder.layers.0.";
  Shapes s{{model + "embeddings.patch_embedding.weight", {kWidth, 3, kPatch, kPatch}},
           {model + "embeddings.position_embedding.weight", {kSide * kSide + (clip ? 1 : 0), kWidth}}};
  for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
    add_linear(s, layer + "self_attn." + part, kWidth, kWidth);
  add_linear(s, layer + "mlp.fc1", kHidden, kWidth);
  add_linear(s, layer + "mlp.fc2", kWidth, kHidden);
  add_norm(s, layer + "layer_norm1");
  add_norm(s, layer + "layer_norm2");
  add_norm(s, model + "post_layernorm");
  if (clip) {
    s[model + "embeddings.class_embedding"] = {kWidth};
    add_norm(s, model + "pre_layrnorm");
  } else {
    s[model + "embeddings.patch_embedding.bias"] = {kWidth};
  }
  return s;
}

ImportedWeights imported(const Shapes& shapes, const json& config, const ImportOptions& options = {}) {
  return import_weights(std::make_shared<test::ShapesOnly>(shapes), config, options);
}

ModelConfig config_of(const Shapes& shapes, const json& config) { return imported(shapes, config).open.model.config; }

std::string error(const Shapes& shapes, const json& config) {
  return error_of(ErrorKind::data, [&] { imported(shapes, config); });
}

bool tells(const std::vector<std::string>& lines, std::string_view part) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

// ---- what is there, and what is not ----

TEST(HubConfig, TakesSizesFromTensorsAndTheRestFromTheConfig) {
  const ModelConfig c =
      config_of(vit_shapes(), {{"num_attention_heads", 6}, {"layer_norm_eps", 1e-3}, {"hidden_act", "quick_gelu"}});
  EXPECT_EQ(c.width, kWidth);
  EXPECT_EQ(c.mlp_width, kHidden);
  EXPECT_EQ(c.patch_size, kPatch);
  EXPECT_EQ(c.image_size, kSide * kPatch);
  EXPECT_EQ(c.depth, 1);
  EXPECT_EQ(c.classes, 5);
  EXPECT_EQ(c.heads, 6);
  EXPECT_EQ(c.eps, 1e-3f);
  EXPECT_EQ(c.activation, Activation::quick_gelu);
}

TEST(HubConfig, FieldsThatAreMissingHaveTheDefaultsOfTheConfigClass) {
  const ModelConfig vit = config_of(vit_shapes(), json::object());
  EXPECT_EQ(vit.heads, 12);
  EXPECT_EQ(vit.eps, 1e-12f);
  EXPECT_EQ(vit.activation, Activation::gelu_erf);
  const ModelConfig clip = config_of(tower_shapes(true), {{"vision_config", json::object()}});
  EXPECT_EQ(clip.heads, 12);
  EXPECT_EQ(clip.eps, 1e-5f);
  EXPECT_EQ(clip.activation, Activation::quick_gelu);
  const ModelConfig siglip =
      config_of(tower_shapes(false), {{"vision_config", {{"model_type", "siglip_vision_model"}}}});
  EXPECT_EQ(siglip.heads, 12);
  EXPECT_EQ(siglip.eps, 1e-6f);
  EXPECT_EQ(siglip.activation, Activation::gelu_tanh);
}

TEST(HubConfig, OlderConfigsOfClipHaveTheTowerTwice) {
  const json config{{"vision_config", {{"num_attention_heads", 12}}},
                    {"vision_config_dict", {{"num_attention_heads", 4}}}};
  EXPECT_EQ(config_of(tower_shapes(true), config).heads, 4);
  const json none{{"vision_config", {{"num_attention_heads", 4}}}, {"vision_config_dict", nullptr}};
  EXPECT_EQ(config_of(tower_shapes(true), none).heads, 4);
}

TEST(HubConfig, WithoutAConfigWhatIsAssumedIsSaid) {
  const ImportedWeights found = imported(vit_shapes(), nullptr);
  EXPECT_TRUE(tells(found.assumed, "heads"));
  EXPECT_TRUE(tells(found.assumed, "1e-12"));
  EXPECT_TRUE(imported(vit_shapes(), json::object()).assumed.empty());
}

TEST(HubConfig, WhatIsDroppedHasAReason) {
  Shapes shapes = vit_shapes();
  add_linear(shapes, "vit.pooler.dense", kWidth, kWidth);
  const ImportedWeights found = imported(shapes, json::object());
  ASSERT_EQ(found.dropped.size(), 2u);
  for (const Dropped& dropped : found.dropped) EXPECT_FALSE(dropped.why.empty()) << dropped.name;
  shapes["vit.surprise"] = {1};
  EXPECT_TRUE(holds(error(shapes, json::object()), {"vit.surprise"}));
}

TEST(HubConfig, AProjectionIsNoListOfClasses) {
  Shapes shapes = tower_shapes(true);
  shapes["visual_projection.weight"] = {7, kWidth};
  shapes["text_model.embeddings.token_embedding.weight"] = {9, 9};
  const ImportedWeights found = imported(shapes, {{"vision_config", {{"num_attention_heads", 4}}}});
  EXPECT_EQ(found.open.model.config.classes, 7);
  EXPECT_TRUE(tells(found.notes, "no classes"));
}

TEST(HubConfig, OtherKindsOfSiglip2AreToldApart) {
  Shapes shapes = tower_shapes(false);
  shapes["vision_model.embeddings.patch_embedding.weight"] = {kWidth, 3 * kPatch * kPatch};
  EXPECT_TRUE(holds(error(shapes, nullptr), {"patch_embedding.weight", "naflex"}));
}

// ---- configs that are wrong ----

TEST(HubConfig, WrongTypesNameTheField) {
  for (const char* field : {"num_attention_heads", "hidden_size", "num_hidden_layers", "intermediate_size",
                            "image_size", "patch_size", "layer_norm_eps", "hidden_act"})
    for (const json& value : {json(json::object()), json(true), json(json::array())})
      EXPECT_TRUE(holds(error(vit_shapes(), {{field, value}}), {"config.json", field})) << value.dump();
  EXPECT_TRUE(holds(error(vit_shapes(), {{"num_attention_heads", "12"}}), {"num_attention_heads", "\"12\""}));
  EXPECT_TRUE(holds(error(vit_shapes(), {{"num_attention_heads", 3.5}}), {"num_attention_heads", "3.5"}));
  EXPECT_TRUE(holds(error(vit_shapes(), {{"layer_norm_eps", "small"}}), {"layer_norm_eps"}));
  EXPECT_TRUE(holds(error(tower_shapes(true), {{"vision_config", 3}}), {"vision_config", "3"}));
  EXPECT_TRUE(holds(error(tower_shapes(true), {{"vision_config_dict", "x"}}), {"vision_config_dict"}));
}

TEST(HubConfig, NumbersThatCannotBeNameTheField) {
  for (int64_t heads : {int64_t{0}, int64_t{-1}, int64_t{7}, int64_t{49}, std::numeric_limits<int64_t>::max()})
    EXPECT_TRUE(holds(error(vit_shapes(), {{"num_attention_heads", heads}}), {"num_attention_heads"}));
  EXPECT_TRUE(holds(error(vit_shapes(), {{"num_attention_heads", std::numeric_limits<uint64_t>::max()}}),
                    {"num_attention_heads"}));
  for (double eps : {0.0, -1e-6, 1.0, 1e300, 1e-300})
    EXPECT_TRUE(holds(error(vit_shapes(), {{"layer_norm_eps", eps}}), {"layer_norm_eps"})) << eps;
  EXPECT_TRUE(holds(error(vit_shapes(), {{"hidden_act", "relu"}}), {"hidden_act", "relu"}));
}

TEST(HubConfig, SizesThatContradictTheTensorsNameTheField) {
  for (const char* field : {"hidden_size", "num_hidden_layers", "intermediate_size", "patch_size"})
    for (int64_t value : {int64_t{0}, int64_t{-3}, int64_t{1000}})
      EXPECT_TRUE(holds(error(vit_shapes(), {{field, value}}), {field})) << value;
  EXPECT_TRUE(holds(error(vit_shapes(), {{"image_size", 64}}), {"image_size", "64", "3 x 3"}));
  EXPECT_TRUE(holds(error(vit_shapes(), {{"image_size", {12, 16}}}), {"image_size", "squares"}));
  EXPECT_EQ(config_of(vit_shapes(), {{"image_size", {12, 12}}, {"patch_size", {4, 4}}}).image_size, 12);
  EXPECT_TRUE(
      holds(error(tower_shapes(false), {{"vision_config", {{"hidden_size", 32}}}}), {"hidden_size", "32", "48"}));
}

TEST(HubConfig, DeepAndHugeJsonIsRefusedBeforeItIsRead) {
  const std::string deep = "{\"vision_config\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { parse_json(deep, "config.json", "somewhere"); }), {"too deep"}));
  error_of(ErrorKind::data, [] { parse_json("{\"layer_norm_eps\": NaN}", "config.json", "somewhere"); });
  error_of(ErrorKind::data, [] { parse_json("{\"hidden_size\": 0x10}", "config.json", "somewhere"); });
}

// ---- tensors that are wrong ----

TEST(HubTensors, WrongOnesAreNamed) {
  Shapes oblong = vit_shapes();
  oblong["vit.embeddings.patch_embeddings.projection.weight"] = {kWidth, 3, kPatch, 8};
  EXPECT_TRUE(holds(error(oblong, nullptr), {"projection.weight", "square"}));
  Shapes gray = vit_shapes();
  gray["vit.embeddings.patch_embeddings.projection.weight"] = {kWidth, 1, kPatch, kPatch};
  EXPECT_TRUE(holds(error(gray, nullptr), {"projection.weight", "3 channels"}));
  Shapes uneven = vit_shapes();
  uneven["vit.embeddings.position_embeddings"] = {1, 9, kWidth};
  EXPECT_TRUE(holds(error(uneven, nullptr), {"position_embeddings"}));
  Shapes missing = vit_shapes();
  missing.erase("vit.encoder.layer.0.output.dense.bias");
  EXPECT_TRUE(holds(error(missing, json::object()), {"vit.encoder.layer.0.output.dense.bias"}));
  Shapes narrow = vit_shapes();
  narrow["vit.encoder.layer.0.attention.attention.key.weight"] = {kWidth, 7};
  EXPECT_TRUE(holds(error(narrow, json::object()), {"attention.attention.key.weight", "7"}));
}

}  // namespace
}  // namespace vit
