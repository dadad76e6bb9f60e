#include "vit/model/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/model/small_config.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

// Parameter and tensor counts as timm 1.0 gives them for the same names.
TEST(ModelPreset, ParametersAreTimms) {
  const auto count = [](const char* name) { return parameter_layout(model_preset(name)).parameter_count(); };
  EXPECT_EQ(count("vit_tiny_patch16_224"), 5717416);
  EXPECT_EQ(count("vit_small_patch16_224"), 22050664);
  EXPECT_EQ(count("vit_base_patch16_224"), 86567656);
  EXPECT_EQ(count("vit_large_patch16_224"), 304326632);
  EXPECT_EQ(parameter_layout(model_preset("vit_base_patch16_224")).all().size(), 152u);
  EXPECT_EQ(count("vit_wee_patch16_reg1_gap_256"), 13422568);
  EXPECT_EQ(count("vit_little_patch16_reg4_gap_256"), 22516008);
  EXPECT_EQ(count("vit_medium_patch16_reg4_gap_256"), 38881768);
  EXPECT_EQ(count("vit_betwixt_patch16_reg4_gap_256"), 60398440);
}

TEST(ModelConfig, ReadoutsHaveTimmsParameters) {
  ModelConfig distilled = model_preset("vit_tiny_patch16_224");
  distilled.distilled = true;
  EXPECT_EQ(parameter_layout(distilled).parameter_count(), 5910800);  // deit_tiny_distilled_patch16_224
  ModelConfig map = model_preset("vit_base_patch16_224");
  map.pooling = "map";
  map.class_token = false;
  map.classes = 0;
  EXPECT_EQ(parameter_layout(map).parameter_count(), 92884224);  // vit_base_patch16_siglip_224
}

// arXiv:2104.05704, table 3, in millions.
TEST(ModelPreset, ParametersAreThoseOfThePaper) {
  EXPECT_NEAR(static_cast<double>(parameter_layout(model_preset("cct_7_3x1_32")).parameter_count()) / 1e6, 3.76, 0.005);
}

TEST(ModelPreset, UnknownNameListsTheKnown) {
  try {
    model_preset("vit_tiny");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("vit_tiny_patch16_224"), std::string::npos);
  }
}

TEST(ModelConfig, JsonRoundTrip) {
  ModelConfig c = model_preset("vit_tiny9_patch4_32");
  c.pooling = "avg";
  c.activation = Activation::gelu_tanh;
  c.position = "sincos_2d";
  c.layer_scale = true;
  c.eps = 1e-5f;
  EXPECT_EQ(model_config_from_json(to_json(c), "test"), c);
}

TEST(ModelConfig, EveryFieldIsChecked) {
  const nlohmann::json good = to_json(model_preset("vit_tiny9_patch4_32"));
  for (const auto& [name, value] : good.items()) {
    nlohmann::json missing = good;
    missing.erase(name);
    nlohmann::json wrong = good;
    wrong[name] = nlohmann::json::array();
    for (const nlohmann::json& bad : {missing, wrong}) try {
        model_config_from_json(bad, "a.h5");
        FAIL() << name;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::data);
        EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("a.h5"), std::string::npos) << e.what();
      }
  }
}

TEST(ModelConfig, AFieldOfAnotherVersionIsRefused) {
  nlohmann::json json = to_json(model_preset("vit_tiny9_patch4_32"));
  json["window"] = 7;
  try {
    model_config_from_json(json, "a.h5");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    EXPECT_NE(std::string(e.what()).find("unknown field 'window'"), std::string::npos) << e.what();
  }
}

// A part's field is absent from files that do not have the part, so older files and older programs agree.
TEST(ModelConfig, OnlyChangedPartsAreWritten) {
  ModelConfig c = model_preset("vit_tiny9_patch4_32");
  EXPECT_EQ(to_json(c).size(), 17u);
  c.registers = 4;
  EXPECT_EQ(to_json(c).at("registers"), 4);
  EXPECT_EQ(to_json(c).size(), 18u);
}

TEST(ModelConfig, ValidateNamesAllFaultsAtOnce) {
  ModelConfig c;
  c.patch_size = 15;
  c.heads = 5;
  c.depth = 0;
  try {
    validate(c);
    FAIL();
  } catch (const Error& e) {
    for (const char* word : {"patch_size", "heads", "depth"})
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos);
  }
}

/// What is wrong with the small config after the change; nothing where it may be built.
template <class Change>
std::string fault(Change change) {
  ModelConfig c = test::small_config();
  change(c);
  try {
    validate(c);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return e.what();
  }
  return "";
}

// A part's needs are those of configs that have it.
TEST(ModelConfig, PositionsAskForTheirWidths) {
  const auto of_width = [](int64_t width, const char* position) {
    return fault([&](ModelConfig& c) { c.width = width, c.heads = 1, c.position = position; });
  };
  for (const int64_t any : {7, 6, 8}) {
    EXPECT_EQ(of_width(any, "learned"), "");
    EXPECT_EQ(of_width(any, "none"), "");
  }
  EXPECT_NE(of_width(7, "sincos_1d").find("sincos_1d needs an even width"), std::string::npos);
  EXPECT_EQ(of_width(6, "sincos_1d"), "");
  EXPECT_NE(of_width(7, "sincos_2d").find("sincos_2d needs a width divisible by 4"), std::string::npos);
  EXPECT_NE(of_width(6, "sincos_2d").find("sincos_2d needs a width divisible by 4"), std::string::npos);
  EXPECT_EQ(of_width(8, "sincos_2d"), "");
}

TEST(ModelConfig, OnlyTokenPoolingAsksForTheClassToken) {
  const auto pooling = [](const char* word, bool class_token) {
    return fault([&](ModelConfig& c) { c.pooling = word, c.class_token = class_token; });
  };
  for (const char* word : {"token", "avg", "seq"}) EXPECT_EQ(pooling(word, true), "") << word;
  for (const char* word : {"avg", "seq"}) EXPECT_EQ(pooling(word, false), "") << word;
  EXPECT_NE(pooling("token", false).find("pooling by class token needs class_token"), std::string::npos);
}

TEST(ModelConfig, RotaryPositionsAskForTheirHeadSize) {
  const auto of_heads = [](RopeLayout rope, int64_t heads, int64_t head_size) {
    return fault([&](ModelConfig& c) { c.rope = rope, c.heads = heads, c.width = heads * head_size; });
  };
  for (const int64_t count : {1, 2})
    for (const int64_t size : {6, 7}) {
      EXPECT_EQ(of_heads(RopeLayout::none, count, size), "");
      for (const RopeLayout rope : {RopeLayout::axial, RopeLayout::dinov3, RopeLayout::mixed}) {
        const std::string text = of_heads(rope, count, size);
        EXPECT_NE(text.find(concat("rope: needs heads of a multiple of 4, has ", size)), std::string::npos) << text;
        EXPECT_EQ(of_heads(rope, count, 4), "");
      }
    }
  EXPECT_NE(fault([](ModelConfig& c) { c.rope = RopeLayout::axial, c.heads = 0; }).find("heads"), std::string::npos);
}

TEST(ModelConfig, TokenizersAskForTheirPictures) {
  const auto image = [](int64_t size, const char* tokenizer, int64_t kernel = 3, int64_t layers = 1,
                        int64_t stride = 1) {
    return fault([&](ModelConfig& c) {
      c.image_size = size, c.tokenizer = tokenizer;
      c.conv_kernel = kernel, c.conv_layers = layers, c.conv_stride = stride;
    });
  };
  EXPECT_NE(image(9, "patch").find("image_size 9 is not a multiple of patch_size 4"), std::string::npos);
  EXPECT_EQ(image(9, "conv"), "");
  EXPECT_EQ(image(8, "patch", 2), "");
  EXPECT_NE(image(8, "conv", 2).find("conv_kernel: needs an odd number, has 2"), std::string::npos);
  // Pooling halves a side and rounds up: 8, 4, 2, 1.
  EXPECT_EQ(image(8, "conv", 3, 2), "");
  EXPECT_NE(image(8, "conv", 3, 3).find("leaves no grid of tokens behind 3 convolutions"), std::string::npos);
  EXPECT_EQ(image(8, "conv", 3, 1, 2), "");
  EXPECT_NE(image(8, "conv", 3, 2, 2).find("of stride 2"), std::string::npos);
  EXPECT_NE(image(8, "conv", 3, 1, 0).find("conv_stride"), std::string::npos);
  EXPECT_EQ(image(8, "patch", 3, 8), "");
  EXPECT_NE(fault([](ModelConfig& c) { c.patch_size = 0; }).find("patch_size"), std::string::npos);
}

}  // namespace
}  // namespace vit
