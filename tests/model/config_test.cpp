#include "vit/model/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

}  // namespace
}  // namespace vit
